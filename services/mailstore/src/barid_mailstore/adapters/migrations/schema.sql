-- revision 0004
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE state (
	id INTEGER NOT NULL, 
	epoch BIGINT NOT NULL, 
	next_body BIGINT NOT NULL, 
	PRIMARY KEY (id)
);

CREATE TABLE account (
	id INTEGER NOT NULL, 
	uuid TEXT NOT NULL, 
	quota BIGINT, 
	uidvalidity BIGINT DEFAULT 0 NOT NULL, 
	epoch BIGINT DEFAULT 0 NOT NULL, gone_at BIGINT, 
	PRIMARY KEY (id), 
	UNIQUE (uuid)
);

CREATE TABLE mailbox (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	uidvalidity BIGINT NOT NULL, 
	uidnext BIGINT NOT NULL, 
	modseq BIGINT NOT NULL, 
	messages BIGINT NOT NULL, 
	unseen BIGINT NOT NULL, 
	deleted BIGINT NOT NULL, 
	size BIGINT NOT NULL, 
	special_use TEXT NOT NULL, 
	selectable BOOLEAN NOT NULL, 
	keywords TEXT NOT NULL, forgotten BIGINT DEFAULT 0 NOT NULL, 
	UNIQUE (account, name)
);

CREATE TABLE retired (
	account BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	uidvalidity BIGINT NOT NULL, 
	PRIMARY KEY (account, name)
)
 WITHOUT ROWID

;

CREATE TABLE subscription (
	account BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	PRIMARY KEY (account, name)
)
 WITHOUT ROWID

;

CREATE TABLE pack (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);

CREATE TABLE body (
	id INTEGER NOT NULL, 
	mail_id TEXT NOT NULL, 
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
)
 WITHOUT ROWID

;

CREATE TABLE tombstone (
	mailbox BIGINT NOT NULL, 
	uid BIGINT NOT NULL, 
	modseq BIGINT NOT NULL, at BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (mailbox, uid)
)
 WITHOUT ROWID

;

CREATE TABLE doomed (
	id INTEGER NOT NULL, 
	body BIGINT NOT NULL, 
	PRIMARY KEY (id)
);

CREATE TABLE ledger (
	mail_id TEXT NOT NULL, 
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
)
 WITHOUT ROWID

;

CREATE TABLE attempt (
	mail_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	count INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	error TEXT NOT NULL, 
	PRIMARY KEY (mail_id, n)
)
 WITHOUT ROWID

;

CREATE TABLE held (
	mail_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	account TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	released BIGINT, 
	pack TEXT NOT NULL, 
	accepted TEXT NOT NULL, "offset" BIGINT, 
	PRIMARY KEY (mail_id, n)
);

CREATE TABLE outbox (
	mail_id TEXT NOT NULL, 
	parent TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	reverse_path TEXT NOT NULL, 
	recipients TEXT NOT NULL, 
	prefix TEXT NOT NULL, 
	content BLOB, 
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
	handle TEXT NOT NULL, 
	sender TEXT NOT NULL, 
	until BIGINT NOT NULL, 
	PRIMARY KEY (account, handle, sender)
)
 WITHOUT ROWID

;

CREATE TABLE script (
	account BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	text TEXT NOT NULL, 
	etag TEXT NOT NULL, 
	active BOOLEAN NOT NULL, 
	PRIMARY KEY (account, name)
)
 WITHOUT ROWID

;

CREATE TABLE grave (
	mailbox INTEGER NOT NULL, 
	PRIMARY KEY (mailbox)
);

CREATE TABLE closed (
	name TEXT NOT NULL, 
	PRIMARY KEY (name)
)
 WITHOUT ROWID

;

CREATE TABLE copied (
	"key" TEXT NOT NULL, 
	uidvalidity BIGINT NOT NULL, 
	first BIGINT NOT NULL, 
	source BLOB NOT NULL, 
	modseq BIGINT NOT NULL, 
	PRIMARY KEY ("key")
);

CREATE INDEX body_pack ON body (pack);

CREATE INDEX message_body ON message (body);

INSERT INTO alembic_version VALUES ('0004');
