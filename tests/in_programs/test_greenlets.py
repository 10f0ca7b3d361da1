"""Scripts whose threads gevent or eventlet has replaced by greenlets."""

from __future__ import annotations

import pytest

from tests.in_programs.programs import replicas, run
from tests.redis_servers import RedisProcess

PATCHES = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()",
}

PROGRAM = """
turns = []
threading.Thread(target=lambda: [(turns.append(0), time.sleep(0.001)) for _ in range(1000)], daemon=True).start()
payments.call_sync(str)
found = shared()
fails()
until(lambda: payments.state == "open")

closed = []
def customer():
    while payments.state != "closed":
        try:
            payments.call_sync(str)
        except CircuitOpenError:
            pass
        time.sleep(0.05)
    closed.append(True)

customers = [threading.Thread(target=customer) for _ in range(5)]
for one in customers:
    one.start()
for one in customers:
    one.join()
tell(shared=found, closed=len(closed), replicas=len(circuits.fleet_sync().replicas), others_ran=len(turns) > 10)
"""


@pytest.mark.real_redis
@pytest.mark.parametrize("library", sorted(PATCHES))
async def test_a_patched_script_shares_its_circuit_which_opens_and_closes(
    library: str, redis_server: RedisProcess
) -> None:
    pytest.importorskip(library)
    told = run(PROGRAM, redis_server.url.replace("127.0.0.1", "localhost"), first=PATCHES[library])
    assert told == [{"shared": "fresh", "closed": 5, "replicas": 1, "others_ran": True}]
    assert await replicas(redis_server.url) == 0
