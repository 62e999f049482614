"""What the supervisor makes of the messages of the fork server and its children, whose order is the kernel's."""

from barid.plan import Process
from barid.supervisor import Supervisor


async def test_a_child_is_heard_before_the_fork_server_told_of_it() -> None:
    supervisor = Supervisor([Process(("mda",))], [9], drain_seconds=1, log_level="info", log_format="json")
    supervisor._on_message({"event": "ready", "group": "mda", "pid": 7, "ports": {"x": 1}})
    supervisor._on_message({"event": "forked", "group": "mda", "pid": 7})
    assert supervisor.pids() == {"mda": 7}
    assert supervisor._groups["mda"].ready.is_set()
    assert supervisor._groups["mda"].ports == {"x": 1}


async def test_a_child_of_before_is_not_taken_for_the_present_one() -> None:
    supervisor = Supervisor([Process(("mda",))], [9], drain_seconds=1, log_level="info", log_format="json")
    supervisor._on_message({"event": "forked", "group": "mda", "pid": 8})
    supervisor._on_message({"event": "ready", "group": "mda", "pid": 7, "ports": {}})
    assert supervisor.pids() == {"mda": 8}
    assert not supervisor._groups["mda"].ready.is_set()
