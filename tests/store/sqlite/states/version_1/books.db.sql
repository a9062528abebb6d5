PRAGMA application_id = 1131575114;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE runs(
    number INTEGER PRIMARY KEY,
    spider TEXT NOT NULL,
    arguments TEXT NOT NULL,
    started REAL NOT NULL,
    finished REAL,
    reason TEXT NOT NULL DEFAULT '',
    seconds REAL NOT NULL DEFAULT 0,
    counters TEXT NOT NULL DEFAULT '{}',
    report BLOB
);
INSERT INTO "runs" VALUES(1,'books','{}',1.79566259999836969375e+09,NULL,'',0.0,'{}',NULL);
COMMIT;
