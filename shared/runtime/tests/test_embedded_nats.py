async def test_it_tells_when_its_store_could_not_write(tmp_path: Path) -> None:
    """The words are those of nats-server 2.15 on a full disk."""
    server = EmbeddedNats(tmp_path)
    await server.start()
    assert not server.store_failed()
    with (tmp_path / "nats.log").open("a") as log:
        log.write("[1] 2026/01/02 03:04:05.678901 [INF] Slow consumer\n")
    assert not server.store_failed()
    with (tmp_path / "nats.log").open("a") as log:
        log.write(
            "[1] 2026/01/02 03:04:05.678901 [ERR] Filestore [MAIL] Critical write error: no space left on device\n"
        )
    assert server.store_failed()
    assert not server.store_failed()
    server.end()
    assert await asyncio.wait_for(server.wait(), 5) == 0 or server.pid is None
    await server.start()
    assert not server.store_failed()
    await server.stop()
