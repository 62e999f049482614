"""`python -m barid_runtime.probe [livez|readyz]`: ask this container's health port; exit code 0 if it says 200.

For container engines whose health check is a command; Kubernetes asks the port itself.
"""

import http.client
import os
import sys

SECONDS = 2.0


def main() -> int:
    path = sys.argv[1] if len(sys.argv) > 1 else "livez"
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("BARID_HEALTH_PORT", "9000")), SECONDS)
    try:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        print(answer.status, answer.read(4096).decode(errors="replace"))  # noqa: T201
        return 0 if answer.status == 200 else 1
    except OSError as error:
        print(error)  # noqa: T201
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    raise SystemExit(main())
