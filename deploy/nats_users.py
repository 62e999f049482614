"""Print users.conf of the bus, from the table that the embedded bus is configured by (`barid_runtime.bus.permissions`).

.venv/bin/python deploy/nats_users.py > deploy/k8s/parts/nats/users.conf
"""

import json

from barid_runtime.bus.permissions import PERMISSIONS, inbox_of

HEAD = """\
# Written by deploy/nats_users.py from barid_runtime.bus.permissions: a user for each service, with what its job needs.
# The passwords are variables of passwords.conf; included here, too, for an included file does not see its includer's.
include passwords.conf

"""


def users_conf() -> str:
    lines = [HEAD, "authorization {", "  users: ["]
    for user, allowed in PERMISSIONS.items():
        if user == "barid":  # may do everything: for a process that holds all services
            continue
        lines += [
            "    {",
            f"      user: {user}",
            f"      password: ${user.upper()}_PASSWORD",
            "      permissions: {",
            f"        publish: {{allow: {_list(allowed.publish)}}}",
            f"        subscribe: {{allow: {_list((*allowed.subscribe, inbox_of(user)))}}}",
            '        allow_responses: {max: 1, expires: "2m"}',
            "      }",
            "    }",
        ]
    return "\n".join([*lines, "  ]", "}", ""])


def _list(subjects: tuple[str, ...]) -> str:
    return "[\n" + "".join(f"          {json.dumps(each)}\n" for each in subjects) + "        ]"


if __name__ == "__main__":
    print(users_conf(), end="")
