"""Slides, sheets and OpenDocument: tables with merged cells, several tables, and what stands beside the cells."""

from __future__ import annotations

from functools import partial
from typing import Any

from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE

from tests.index.corpus.case import Case
from tests.index.office_files import (
    DIAGRAM,
    flat_opendocument,
    ods,
    opendocument,
    opendocument_table,
    pptx,
    slides,
    workbook,
    xlsx,
)

ANNA = "- Name: Anna; City: Ulm"
_STAFF = [["Name", "City"], ["Anna", "Ulm"]]
_LONG = "How satisfied are you with the first week in which you worked with your new colleagues of all the departments?"
_ALTERNATE = "http://schemas.openxmlformats.org/markup-compatibility/2006"


def _merged_slide(deck: Any) -> None:
    table = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_table(4, 2, 0, 0, 999, 999).table
    for at, text in enumerate(["Kind", "Rate", "Car", "one", "", "two", "Bus", "six"]):
        table.cell(at // 2, at % 2).text = text
    table.cell(1, 0).merge(table.cell(2, 0))


def _newer_shape(deck: Any) -> None:
    box = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_textbox(0, 0, 100, 100)
    box.text_frame.text = "In a shape of later versions"
    tree = box._element.getparent()
    both = tree.makeelement(f"{{{_ALTERNATE}}}AlternateContent")
    choice = tree.makeelement(f"{{{_ALTERNATE}}}Choice")
    choice.append(box._element)
    both.append(choice)
    tree.append(both)


def _chart_slide(deck: Any) -> None:
    data = CategoryChartData()
    data.categories = ["East", "West"]
    data.add_series("2025", (19.2, 21.4))
    deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, 99, 99, data)


def _diagram_slide(deck: Any) -> None:
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI

    slide = deck.slides.add_slide(deck.slide_layouts[6])
    part = Part(PackURI("/ppt/diagrams/data1.xml"), "application/xml", deck.part.package, DIAGRAM.encode())
    relation = slide.part.relate_to(
        part, "http://schemas.openxmlformats.org/officeDocument/2006/relationships/diagramData"
    )
    frame = slide.shapes.add_table(1, 1, 0, 0, 99, 99)._element
    data = frame.find(".//{*}graphicData")
    data.clear()
    data.set("uri", "http://schemas.openxmlformats.org/drawingml/2006/diagram")
    ids = data.makeelement("{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds")
    data.append(ids)
    ids.set("{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm", relation)


def _merged_sheet(book: Any) -> None:
    sheet = book.add_worksheet("Rates")
    sheet.write_row(1, 1, ["Region", "City", "Rate"])
    sheet.merge_range(2, 1, 4, 1, "South")
    for at, (city, rate) in enumerate([("Ulm", 1.5), ("Bern", 2), ("Graz", 3)], start=2):
        sheet.write_row(at, 2, [city, rate])


def _beside_the_cells(book: Any) -> None:
    sheet = book.add_worksheet("Staff")
    for at, row in enumerate(_STAFF):
        sheet.write_row(at, 0, row)
    sheet.write_comment(1, 1, "She moves to Bern")
    sheet.insert_textbox(5, 5, "Valid from January")
    chart = book.add_chart({"type": "bar"})
    chart.add_series({"values": "=Staff!$B$2:$B$2"})
    chart.set_title({"name": "Scores of spring"})
    sheet.insert_chart("D2", chart)


def _cell(text: str, attributes: str) -> str:
    return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"


_TITLED_SLIDE = (
    '<draw:page draw:name="page1"><draw:frame presentation:class="title"><draw:text-box><text:p>Travel costs</text:p>'
    "</draw:text-box></draw:frame><draw:frame><draw:text-box><text:p>Keep receipts</text:p></draw:text-box></draw:frame>"
    "<presentation:notes><draw:frame><draw:text-box><text:p>Mention it</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>"
)
_PAGE_HEADER = "<office:master-styles><style:master-page><style:header><text:p>Acme letterhead</text:p></style:header></style:master-page></office:master-styles>"

SHEETS = (
    Case(name="a.pptx", about="merged cells", data=partial(slides, _merged_slide),
         lines=("- Kind: Car; Rate: one", "- Kind: Car; Rate: two", "- Kind: Bus; Rate: six")),
    Case(name="a.pptx", about="a shape of later versions", data=partial(slides, _newer_shape), found=("In a shape of later versions",)),
    Case(name="a.pptx", about="a chart", data=partial(slides, _chart_slide), lines=("- 2025: East: 19.2; West: 21.4",)),
    Case(name="a.pptx", about="a diagram", data=partial(slides, _diagram_slide), found=("Step one: apply",)),
    Case(name="a.potx", about="a template", data=pptx, found=("Keep every receipt",)),
    Case(name="a.xlsx", about="merged cells, not at the edge", data=partial(workbook, _merged_sheet),
         lines=("- Region: South; City: Ulm; Rate: 1.5", "- Region: South; City: Graz; Rate: 3")),
    Case(name="a.xlsx", about="two tables in one sheet", lines=(ANNA, "- Product: Pen; Price: 2"),
         data=partial(xlsx, {"S": [*_STAFF, [], ["Product", "Price"], ["Pen", 2]]})),
    Case(name="a.xlsx", about="empty rows within a table", lines=(ANNA, "- Name: Bo; City: Bern"),
         data=partial(xlsx, {"S": [*_STAFF, [], ["Bo", "Bern"]]})),
    Case(name="a.xlsx", about="years as names of columns", lines=("- Region: South; 2023: 10; 2024: 12",),
         data=partial(xlsx, {"S": [["Region", 2023, 2024], ["South", 10, 12], ["North", 7, 9]]})),
    Case(name="a.xlsx", about="years as values", lines=("- Anna; 1990", "- Bo; 1985"), data=partial(xlsx, {"S": [["Anna", 1990], ["Bo", 1985]]})),
    Case(name="a.xlsx", about="questions as names of columns", lines=(f"- Time; {_LONG}",), found=("Time: Monday; How satisfied are you",),
         data=partial(xlsx, {"S": [["Time", _LONG], ["Monday", "Very"]]})),
    Case(name="a.xlsx", about="comments, text boxes and charts", data=partial(workbook, _beside_the_cells), lines=(ANNA,),
         found=("B2: She moves to Bern", "Valid from January", "Scores of spring")),
    Case(name="a.xlsx", about="encrypted", data=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), why="protected by a password"),
    Case(name="a.xltx", about="a template", data=partial(xlsx, {"S": _STAFF}), lines=(ANNA,)),
    Case(name="a.ots", about="a template", data=partial(ods, _STAFF), lines=(ANNA,)),
    Case(name="a.odt", about="a word of two parts in a cell", lines=(ANNA,),
         data=lambda: opendocument("text", opendocument_table(["Name", "City"], ["An<text:span>na</text:span>", "Ulm"]))),
    Case(name="a.odt", about="merged and repeated cells", lines=("- Kind: Car; Rate: one", "- Kind: Car; Rate: two", "- Rate: four"),
         data=lambda: opendocument("text", opendocument_table(
             ["Kind", "Rate"], [_cell("Car", 'table:number-rows-spanned="2"'), "one"], ["<table:covered-table-cell/>", "two"],
             ['<table:table-cell table:number-columns-repeated="1"/>', "four"]))),
    Case(name="a.odt", about="comments, notes and pictures", found=("Costs rise", "please check", "the note", "a map of Ulm"),
         data=lambda: opendocument("text", "<text:p>Costs<office:annotation><text:p>please check</text:p></office:annotation> rise"
                                   "<text:note><text:note-body><text:p>the note</text:p></text:note-body></text:note></text:p>"
                                   "<text:p><draw:frame><svg:desc>a map of Ulm</svg:desc></draw:frame></text:p>")),
    Case(name="a.odt", about="page headers", data=lambda: opendocument("text", "<text:p>The body.</text:p>", _PAGE_HEADER),
         found=("The body.\n\nAcme letterhead",)),
    Case(name="a.odt", about="a password", data=lambda: opendocument("text", "", encrypted=True), why="protected by a password"),
    Case(name="a.odp", about="a title and notes", data=lambda: opendocument("presentation", _TITLED_SLIDE),
         lines=("## Slide 1: Travel costs",), found=("Keep receipts", "Mention it")),
    Case(name="a.odg", about="a drawing", found=("Box of a plan",),
         data=lambda: opendocument("graphics", "<draw:page><draw:custom-shape><text:p>Box of a plan</text:p></draw:custom-shape></draw:page>")),
    Case(name="a.fodt", about="one XML document", data=flat_opendocument("text", "<text:p>Flat words</text:p>"), found=("Flat words",),
         absent=("<text:p>",)),
    Case(name="a.fods", about="one XML document", data=flat_opendocument("spreadsheet", opendocument_table(*_STAFF)), lines=("## Staff", ANNA)),
)  # fmt: skip
