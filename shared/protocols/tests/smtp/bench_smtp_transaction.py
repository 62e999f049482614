"""What the server core costs: one transaction of 4 KB, MAIL to the reply, in µs of CPU. Run by hand."""

import time

from barid_protocols.smtp import Decision, ServerConnection, mx

ENVELOPE = b"MAIL FROM:<alice@example.net> SIZE=4080 BODY=8BITMIME\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
BODY = (b"x" * 66 + b"\r\n") * 60 + b".\r\n"
END = b".\r\n"
LINES = ENVELOPE.splitlines(keepends=True)


def turn(conn: ServerConnection, data: bytes) -> bytes:
    conn.receive_data(data)
    out = b""
    while (event := conn.next_event()) is not None:
        if isinstance(event, Decision):
            out += conn.send()
    return out + conn.data_to_send()


def measure(reads: list[bytes], rounds: int = 200, tries: int = 60) -> float:
    conn = ServerConnection(mx("mx.example.org", starttls=True))
    turn(conn, b"EHLO client.example.net\r\n")
    best = float("inf")
    for _ in range(tries):
        begin = time.process_time()
        for _ in range(rounds):
            for read in reads:
                turn(conn, read)
        best = min(best, time.process_time() - begin)
    assert not conn.closed
    return best / rounds * 1e6


if __name__ == "__main__":
    print(f"pipelined   {measure([ENVELOPE, BODY]):.1f} µs")
    print(f"one by one  {measure([*LINES, BODY]):.1f} µs")
    print(f"empty body  {measure([ENVELOPE, END]):.1f} µs, pipelined")
