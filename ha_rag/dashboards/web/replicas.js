// The replicas, from their heartbeats.

import { cell, element, one, renewChildren } from "./dom.js";
import { ms, percent, plain, seconds } from "./format.js";

const LATE_S = 2.5;

export function showReplicas(replicas) {
  renewChildren(one("#replicas tbody"), replicas.map(row));
}

function row(replica) {
  const late = replica.behind_s > LATE_S;
  const load = element("meter", { min: 0, max: 1, high: 0.8, value: replica.load, "aria-label": `load of ${replica.name}` });
  return element(
    "tr",
    { cls: late ? "late" : "" },
    element("th", { scope: "row", text: replica.name, title: replica.incarnation }),
    cell("Shared state", element("span", { text: plain(replica.shared_state), cls: `state ${replica.shared_state}` })),
    cell("Questions/s", replica.per_s.toFixed(1), "number"),
    cell("p50 / p99", `${ms(replica.p50_ms)} / ${ms(replica.p99_ms)}`, "number"),
    cell("Degraded", percent(replica.degraded_share), "number"),
    cell("Load", [load, ` ${replica.in_flight}`]),
    cell("Heartbeat", late ? `last ${seconds(replica.behind_s)} ago` : "ok", "number"),
    cell("Version", replica.version),
  );
}
