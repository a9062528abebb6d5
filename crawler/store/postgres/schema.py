"""The tables: a catalog for the database, and a schema for each run.

The schema `crawler` lists the runs of all jobs. `crawler_run_17` holds the data of the
run with id 17; dropping the schema removes the run. In a run's schema `urls` and
`visits` only grow, so two workers that find the same URL never wait for each other's
updates. `pending` changes: the row of a page is deleted when the page ends.

Rule: a schema that is newer than this version of the crawler is refused, never changed.
"""

from __future__ import annotations

_CATALOG = """
CREATE TABLE crawler.runs(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL,
    number int NOT NULL,
    spider text NOT NULL,
    arguments text NOT NULL,
    started float8 NOT NULL,
    finished float8,
    reason text NOT NULL DEFAULT '',
    seconds float8 NOT NULL DEFAULT 0,
    counters text NOT NULL DEFAULT '{}',
    report bytea,
    -- The version of the run's schema; NULL: the schema was dropped.
    version int,
    UNIQUE(job, number)
);
"""

# `rank` is minus the priority. `seq` is the order in which URLs were found: the number
# of a commit times GROUP, plus the URL's position in the commit. Times are seconds
# (`found`, `due`) or milliseconds (`time`) on the wall clock of the worker that wrote
# them. `state` has one row, which every commit changes last, so items have numbers
# without gaps.
_RUN = """
CREATE TABLE run.state(
    items bigint NOT NULL DEFAULT 0,
    start_items bigint NOT NULL DEFAULT 0,
    start_values bigint NOT NULL DEFAULT 0,
    start_counts text NOT NULL DEFAULT '{}',
    -- Counts the commits of which other workers must know.
    batch bigint NOT NULL DEFAULT 0,
    -- Pages for which no worker has a permit yet; NULL: there is no limit.
    pages_left bigint,
    items_limit bigint,
    -- Why the crawl is over; NULL: it is not.
    over text
) WITH (fillfactor = 10);
INSERT INTO run.state DEFAULT VALUES;
CREATE SEQUENCE run.groups MINVALUE 0 START 0;
CREATE TABLE run.workers(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine text NOT NULL,
    pid int NOT NULL,
    joined timestamptz NOT NULL DEFAULT now(),
    dead boolean NOT NULL DEFAULT false,
    expires timestamptz NOT NULL DEFAULT now(),
    is_leader boolean NOT NULL DEFAULT false,
    -- Pages that the worker may still land; news that it has read.
    permits bigint NOT NULL DEFAULT 0,
    read_batch bigint NOT NULL DEFAULT 0,
    commits bigint NOT NULL DEFAULT 0,
    counters text NOT NULL DEFAULT '{}',
    seconds float8 NOT NULL DEFAULT 0,
    status text
) WITH (fillfactor = 50);
CREATE TABLE run.shards(
    shard int PRIMARY KEY,
    owner bigint,
    -- Earlier no worker may take it.
    free_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
INSERT INTO run.shards(shard) SELECT * FROM generate_series(0, 255);
CREATE TABLE run.hosts(
    number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    shard int NOT NULL,
    -- The host rests until then, over a change of its owner.
    not_before timestamptz
);
CREATE INDEX hosts_shard ON run.hosts(shard);
-- Hosts that got pending entries, or better ones, from a worker that does not own them.
CREATE TABLE run.news(
    batch bigint NOT NULL,
    host text NOT NULL,
    shard int NOT NULL,
    rank bigint NOT NULL,
    depth int NOT NULL,
    seq bigint NOT NULL
);
CREATE INDEX news_batch ON run.news(batch);
CREATE TABLE run.robots(
    url text PRIMARY KEY,
    status int NOT NULL,
    body bytea NOT NULL,
    asked timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE run.urls(
    fp bigint PRIMARY KEY,
    seq bigint NOT NULL,
    parent bigint NOT NULL,
    rank bigint NOT NULL,
    host int NOT NULL,
    depth int NOT NULL,
    found bigint NOT NULL,
    url text NOT NULL,
    callback text NOT NULL,
    found_as text NOT NULL,
    options bytea,
    meta bytea
);
CREATE TABLE run.pending(
    rank bigint NOT NULL,
    seq bigint NOT NULL,
    fp bigint NOT NULL,
    host int NOT NULL,
    depth int NOT NULL,
    PRIMARY KEY(host, rank, depth, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
CREATE INDEX pending_fp ON run.pending(fp);
CREATE TABLE run.tries(
    fp bigint PRIMARY KEY,
    first_tried float8 NOT NULL,
    due float8 NOT NULL,
    delay float8 NOT NULL,
    attempt int NOT NULL,
    redirects int NOT NULL,
    items bigint NOT NULL,
    chain text NOT NULL,
    -- The options with which the page is asked again, if they are others.
    options bytea
);
CREATE TABLE run.visits(
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fp bigint NOT NULL,
    time bigint NOT NULL,
    received bigint NOT NULL,
    last_item bigint NOT NULL,
    items bigint NOT NULL,
    elapsed int,
    depth int NOT NULL,
    state int NOT NULL,
    status int NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL
);
CREATE INDEX visits_fp ON run.visits(fp);
CREATE TABLE run.items(
    sequence bigint PRIMARY KEY,
    fp bigint NOT NULL,
    ordinal bigint NOT NULL,
    type text NOT NULL,
    body bytea NOT NULL
);
CREATE TABLE run.item_keys(rule text, value bytea, PRIMARY KEY(rule, value));
CREATE TABLE run.rejected(
    fp bigint PRIMARY KEY,
    parent bigint NOT NULL,
    found bigint NOT NULL,
    url text NOT NULL,
    rule text NOT NULL,
    found_as text NOT NULL
);
CREATE TABLE run.duplicates(
    fp bigint PRIMARY KEY,
    times bigint NOT NULL,
    parent bigint NOT NULL,
    callback text NOT NULL
);
CREATE TABLE run.staged_items(
    page bigint, ordinal bigint,
    type text NOT NULL, keys bytea NOT NULL, body bytea NOT NULL,
    PRIMARY KEY(page, ordinal)
);
CREATE TABLE run.staged_urls(
    place bigint GENERATED ALWAYS AS IDENTITY,
    page bigint,
    fp bigint,
    parent bigint NOT NULL,
    rank bigint NOT NULL,
    host int NOT NULL,
    depth int NOT NULL,
    -- How many of the requests for this URL were built by the spider.
    again int NOT NULL,
    url text NOT NULL,
    callback text NOT NULL,
    found_as text NOT NULL,
    options bytea,
    meta bytea,
    PRIMARY KEY(page, fp)
);
CREATE TABLE run.staged_rejected(
    place bigint GENERATED ALWAYS AS IDENTITY,
    page bigint,
    fp bigint,
    parent bigint NOT NULL,
    url text NOT NULL,
    rule text NOT NULL,
    found_as text NOT NULL,
    PRIMARY KEY(page, fp)
);
CREATE TABLE run.facts(
    name text, value text, batch bigint NOT NULL, PRIMARY KEY(name, value)
);
CREATE INDEX facts_batch ON run.facts(batch);
CREATE TABLE run.cookies(
    session text, domain text, jar bytea NOT NULL, batch bigint NOT NULL,
    PRIMARY KEY(session, domain)
);
CREATE INDEX cookies_batch ON run.cookies(batch);
CREATE TABLE run.pauses(host text PRIMARY KEY, until float8 NOT NULL);
CREATE TABLE run.sinks(name text PRIMARY KEY, position text NOT NULL);
"""

#: This statement and the next ones upgrade the catalog, or a run, by one version each.
#: This one adds the files that items name; `key` is the path in a form that ignores
#: case.
_FILES = """CREATE TABLE crawler.files(
    job text NOT NULL,
    place text NOT NULL,
    url text NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    type text NOT NULL,
    etag text NOT NULL,
    modified text NOT NULL,
    run integer NOT NULL,
    key text NOT NULL,
    PRIMARY KEY(job, place, url));
CREATE INDEX files_by_key ON crawler.files(job, place, key)"""

#: Adds to each shard (a group of sites) the worker whose pages wait for a site in the
#: shard; NULL: none.
_WANTED = "ALTER TABLE run.shards ADD COLUMN wanted bigint"
#: Adds to each run the version of the spider's code in its processes, and the time when
#: this version was first used.
_CODE = """ALTER TABLE crawler.runs
    ADD code text NOT NULL DEFAULT '',
    ADD code_since float8 NOT NULL DEFAULT 0"""

#: Adds the number of the portion (a part of a page's results) that last wrote the URL
#: aside: writing the same portion again changes nothing.
_PORTION = "ALTER TABLE run.staged_urls ADD portion bigint NOT NULL DEFAULT 0"

#: Adds whether the worker has nothing to do, so that other workers give it some of
#: their sites.
_IDLE = "ALTER TABLE run.workers ADD idle boolean NOT NULL DEFAULT false"

#: Adds to each run the [politeness] settings of its leading process, as JSON.
_POLITENESS = "ALTER TABLE crawler.runs ADD politeness text NOT NULL DEFAULT ''"

#: Adds whether the worker must join again, because the run now has another limit on
#: pages or items.
_LIMIT = "ALTER TABLE run.workers ADD has_other_limit boolean NOT NULL DEFAULT false"

CATALOG_STEPS = (_CATALOG, _FILES, _CODE, _POLITENESS)
RUN_STEPS = (_RUN, _WANTED, _PORTION, _IDLE, _LIMIT)

#: Maximum number of new URLs that one commit may number.
GROUP = 2**24
#: The oldest PostgreSQL version that supports all statements.
OLDEST_SERVER = 13
