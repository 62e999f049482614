-- revision 0002
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE domain (
	name TEXT NOT NULL, 
	catch_all TEXT, 
	PRIMARY KEY (name)
)
 WITHOUT ROWID

;

CREATE TABLE account (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	address TEXT NOT NULL, 
	domain TEXT NOT NULL, 
	quota BIGINT NOT NULL, 
	enabled SMALLINT NOT NULL, 
	password TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	UNIQUE (id), 
	UNIQUE (address), 
	FOREIGN KEY(domain) REFERENCES domain (name)
);

CREATE TABLE alias (
	address TEXT NOT NULL, 
	domain TEXT NOT NULL, 
	PRIMARY KEY (address), 
	FOREIGN KEY(domain) REFERENCES domain (name)
)
 WITHOUT ROWID

;

CREATE TABLE alias_target (
	alias TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	target TEXT NOT NULL, 
	leads_to TEXT NOT NULL, 
	PRIMARY KEY (alias, position), 
	FOREIGN KEY(alias) REFERENCES alias (address)
)
 WITHOUT ROWID

;

CREATE TABLE failure (
	network TEXT NOT NULL, 
	login TEXT NOT NULL, 
	score DOUBLE NOT NULL, 
	at DOUBLE NOT NULL, 
	bans INTEGER NOT NULL, 
	until DOUBLE NOT NULL, 
	worthless DOUBLE NOT NULL, 
	PRIMARY KEY (network, login)
)
 WITHOUT ROWID

;

CREATE INDEX account_by_domain ON account (domain, address);

CREATE INDEX account_by_age ON account (domain, seq);

CREATE INDEX alias_by_domain ON alias (domain, address);

CREATE INDEX alias_target_by_target ON alias_target (leads_to, alias);

CREATE INDEX failure_by_age ON failure (worthless);

INSERT INTO alembic_version VALUES ('0002');
