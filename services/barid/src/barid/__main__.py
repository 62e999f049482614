"""The `barid` command. What a subcommand needs is imported when it runs, so that `barid --help` stays quick."""


def main() -> None:
    from .app import app

    app(prog_name="barid")


if __name__ == "__main__":
    main()
