"""Drills: faults on real processes under load, and what is claimed of that counted afterwards. `make drill`.

A drill is a test that takes the fixture `drill`: a world of its own (PostgreSQL with the schema, Redis, a key), where
it starts the service, a load and a prober, marks its phases, injects a fault, and claims:

    def test_redis_is_frozen(drill: Drill) -> None:
        \"\"\"The title of the report.\"\"\"
        server = drill.serve(workers=2)
        load, prober = drill.mixed_load(server, rate=150), drill.probe(server)
        drill.timeline.mark("calm")
        let_pass(3)
        with frozen(drill.world.redis_process()):
            drill.timeline.mark("frozen", disturbed=True)
            let_pass(5)
        drill.timeline.mark("after")
        let_pass(3)
        phases = drill.timeline.phases(load.stop())
        drill.report.load(phases)
        drill.report.claim("nobody sees it", not phases["frozen"].failed)
        drill.report.verdict()

- `drill.py`: what a drill has; `world.py`: its servers.
- `load.py` (`generator.py`): requests by schedule, whether or not answers come (`clients.py`: each as soon as the last
  was answered; `stuck.py`: some that come to no end); `outcomes.py`: what became of them.
- `faults.py`, `tests/support/proxy.py`: what is done to processes and to the network; each heals by itself.
- `claims.py`: claims that many drills make (`draining.py`: those of a drain); `report.py`: tables and the verdict;
  `memory.py`: peaks.

Claims count outcomes. A time is claimed (`report.measure`) only where it is the contract, and in CI, where the machine
may have other things to do, it is told; others are printed. Everything is on loopback, bounded in count and time, and
ends with its drill, also where that fails or is interrupted.
"""
