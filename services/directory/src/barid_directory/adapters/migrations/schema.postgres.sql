-- revision 0002
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE domain (
    name TEXT NOT NULL,
    catch_all TEXT,
    PRIMARY KEY (name)
);

CREATE TABLE account (
    seq SERIAL NOT NULL,
    id TEXT NOT NULL,
    address TEXT NOT NULL,
    domain TEXT NOT NULL,
    quota BIGINT NOT NULL,
    enabled SMALLINT NOT NULL,
    password TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id),
    UNIQUE (address),
    FOREIGN KEY(domain) REFERENCES domain (name)
);

CREATE INDEX account_by_domain ON account (domain, address);

CREATE INDEX account_by_age ON account (domain, seq);

CREATE TABLE alias (
    address TEXT NOT NULL,
    domain TEXT NOT NULL,
    PRIMARY KEY (address),
    FOREIGN KEY(domain) REFERENCES domain (name)
);

CREATE INDEX alias_by_domain ON alias (domain, address);

CREATE TABLE alias_target (
    alias TEXT NOT NULL,
    position INTEGER NOT NULL,
    target TEXT NOT NULL,
    leads_to TEXT NOT NULL,
    PRIMARY KEY (alias, position),
    FOREIGN KEY(alias) REFERENCES alias (address)
);

CREATE INDEX alias_target_by_target ON alias_target (leads_to, alias);

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING alembic_version.version_num;

-- Running upgrade 0001 -> 0002

CREATE TABLE failure (
    network TEXT NOT NULL,
    login TEXT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    bans INTEGER NOT NULL,
    until DOUBLE PRECISION NOT NULL,
    worthless DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (network, login)
);

CREATE INDEX failure_by_age ON failure (worthless);

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';
