-- revision 0004
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE SEQUENCE body_numbers;

CREATE TABLE state (
    id SERIAL NOT NULL,
    epoch BIGINT NOT NULL,
    next_body BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE account (
    id BIGSERIAL NOT NULL,
    uuid TEXT COLLATE "C" NOT NULL,
    quota BIGINT,
    uidvalidity BIGINT DEFAULT 0 NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (uuid)
)
 WITH (fillfactor = 70);

CREATE TABLE mailbox (
    id BIGSERIAL NOT NULL,
    account BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    uidvalidity BIGINT NOT NULL,
    uidnext BIGINT NOT NULL,
    modseq BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    unseen BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    size BIGINT NOT NULL,
    special_use TEXT NOT NULL,
    selectable BOOLEAN NOT NULL,
    keywords TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (account, name)
)
 WITH (fillfactor = 70);

CREATE TABLE retired (
    account BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    uidvalidity BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE subscription (
    account BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE pack (
    id BIGSERIAL NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE body (
    id BIGINT NOT NULL,
    mail_id TEXT COLLATE "C" NOT NULL,
    pack BIGINT NOT NULL,
    "offset" BIGINT NOT NULL,
    head BIGINT NOT NULL,
    size BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    reverse_path TEXT NOT NULL,
    subject TEXT NOT NULL,
    trace TEXT NOT NULL,
    headers_cut BOOLEAN NOT NULL,
    parts TEXT NOT NULL,
    structure TEXT NOT NULL,
    envelope TEXT NOT NULL,
    headers TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX body_pack ON body (pack);

CREATE TABLE message (
    mailbox BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    body BIGINT NOT NULL,
    flags BIGINT NOT NULL,
    modseq BIGINT NOT NULL,
    internaldate BIGINT NOT NULL,
    size BIGINT NOT NULL,
    prefix TEXT NOT NULL,
    PRIMARY KEY (mailbox, uid)
);

CREATE INDEX message_body ON message (body);

CREATE TABLE tombstone (
    mailbox BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    modseq BIGINT NOT NULL,
    PRIMARY KEY (mailbox, uid)
);

CREATE TABLE doomed (
    id BIGSERIAL NOT NULL,
    body BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE ledger (
    mail_id TEXT COLLATE "C" NOT NULL,
    n INTEGER NOT NULL,
    account BIGINT,
    outcome TEXT NOT NULL,
    at BIGINT NOT NULL,
    body BIGINT,
    address TEXT NOT NULL,
    reverse_path TEXT,
    message_id TEXT,
    detail TEXT,
    PRIMARY KEY (mail_id, n)
);

CREATE TABLE attempt (
    mail_id TEXT COLLATE "C" NOT NULL,
    n INTEGER NOT NULL,
    count INTEGER NOT NULL,
    at BIGINT NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (mail_id, n)
);

CREATE TABLE held (
    mail_id TEXT COLLATE "C" NOT NULL,
    n INTEGER NOT NULL,
    account TEXT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    released BIGINT,
    pack TEXT NOT NULL,
    accepted TEXT NOT NULL,
    PRIMARY KEY (mail_id, n)
);

CREATE TABLE outbox (
    mail_id TEXT COLLATE "C" NOT NULL,
    parent TEXT NOT NULL,
    kind TEXT NOT NULL,
    reverse_path TEXT NOT NULL,
    recipients TEXT NOT NULL,
    prefix TEXT NOT NULL,
    content BYTEA,
    pack TEXT,
    "offset" BIGINT,
    head BIGINT,
    size BIGINT,
    at BIGINT NOT NULL,
    given_up TEXT,
    claimed BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (mail_id)
);

CREATE TABLE duty (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE vacation (
    account BIGINT NOT NULL,
    handle TEXT COLLATE "C" NOT NULL,
    sender TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (account, handle, sender)
);

CREATE TABLE script (
    account BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    text TEXT NOT NULL,
    etag TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    PRIMARY KEY (account, name)
);

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING alembic_version.version_num;

-- Running upgrade 0001 -> 0002

ALTER TABLE account ADD COLUMN gone_at BIGINT;

ALTER TABLE mailbox ADD COLUMN forgotten BIGINT DEFAULT 0 NOT NULL;

ALTER TABLE tombstone ADD COLUMN at BIGINT DEFAULT 0 NOT NULL;

CREATE TABLE grave (
    mailbox BIGINT NOT NULL,
    PRIMARY KEY (mailbox)
);

CREATE TABLE closed (
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (name)
);

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

-- Running upgrade 0002 -> 0003

ALTER TABLE held ADD COLUMN "offset" BIGINT;

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';

-- Running upgrade 0003 -> 0004

CREATE TABLE copied (
    key TEXT COLLATE "C" NOT NULL,
    uidvalidity BIGINT NOT NULL,
    first BIGINT NOT NULL,
    source BYTEA NOT NULL,
    modseq BIGINT NOT NULL,
    PRIMARY KEY (key)
);

UPDATE alembic_version SET version_num='0004' WHERE alembic_version.version_num = '0003';
