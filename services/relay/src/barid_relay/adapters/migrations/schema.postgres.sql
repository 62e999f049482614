-- revision 0002
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE mail (
    id BIGSERIAL NOT NULL,
    mail_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    queued BIGINT NOT NULL,
    reverse_path TEXT NOT NULL,
    trace TEXT NOT NULL,
    smtputf8 BOOLEAN NOT NULL,
    subject TEXT NOT NULL,
    message_id TEXT NOT NULL,
    parent TEXT,
    pack TEXT NOT NULL,
    "offset" BIGINT NOT NULL,
    head BIGINT NOT NULL,
    size BIGINT NOT NULL,
    live BOOLEAN DEFAULT true NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (mail_id)
);

CREATE INDEX mail_message_id ON mail (message_id);

CREATE INDEX mail_live_pack ON mail (pack) WHERE live;

CREATE TABLE recipient (
    mail BIGINT NOT NULL,
    n INTEGER NOT NULL,
    address TEXT NOT NULL,
    original TEXT NOT NULL,
    domain TEXT NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL,
    due BIGINT NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    crashes INTEGER DEFAULT 0 NOT NULL,
    deaths INTEGER DEFAULT 0 NOT NULL,
    warned BOOLEAN DEFAULT false NOT NULL,
    last_error TEXT DEFAULT '' NOT NULL,
    held_at BIGINT DEFAULT 0 NOT NULL,
    lease_owner TEXT DEFAULT '' NOT NULL,
    lease_until BIGINT DEFAULT 0 NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (mail, n)
);

CREATE INDEX recipient_ready ON recipient (destination, due) WHERE state = 'queued';

CREATE INDEX recipient_due ON recipient (due) WHERE state = 'queued';

CREATE TABLE ledger (
    mail BIGINT NOT NULL,
    n INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    at BIGINT NOT NULL,
    address TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    detail TEXT NOT NULL,
    child TEXT NOT NULL,
    PRIMARY KEY (mail, n)
);

CREATE TABLE attempt (
    mail BIGINT NOT NULL,
    n INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at BIGINT NOT NULL,
    address TEXT NOT NULL,
    host TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (mail, n, number)
);

CREATE TABLE captured (
    id BIGSERIAL NOT NULL,
    mail BIGINT NOT NULL,
    n INTEGER NOT NULL,
    address TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE outbox (
    mail_id TEXT NOT NULL,
    parent TEXT NOT NULL,
    reverse_path TEXT NOT NULL,
    recipients TEXT NOT NULL,
    content BYTEA NOT NULL,
    at BIGINT NOT NULL,
    given_up TEXT,
    taken_by TEXT DEFAULT '' NOT NULL,
    taken_until BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (mail_id)
);

CREATE TABLE replica (
    id TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (id)
);

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING alembic_version.version_num;

-- Running upgrade 0001 -> 0002

CREATE TABLE restored (
    at BIGINT NOT NULL,
    PRIMARY KEY (at)
);

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';
