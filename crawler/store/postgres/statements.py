"""All SQL statements of the PostgreSQL store.

Rule: `run.` is a placeholder for the schema of a run, which `of_run` fills in. Rows
that several workers may insert are sent in the order of their keys, so that no two
commits block each other.
"""

from __future__ import annotations

from functools import lru_cache

from crawler.request import BUILT
from crawler.store.files import KeptFile


@lru_cache(maxsize=512)
def of_run(statement: str, schema: str) -> str:
    """Return the statement for the run with this schema."""
    return statement.replace("run.", f"{schema}.")


# -- Statements on the catalog of all runs.

CATALOG_EXISTS = "SELECT to_regclass('crawler.version') IS NOT NULL"
LOCK_CATALOG = "SELECT pg_advisory_xact_lock(4858110233)"
MAKE_CATALOG = """
CREATE SCHEMA IF NOT EXISTS crawler;
CREATE TABLE IF NOT EXISTS crawler.version(version int NOT NULL);
INSERT INTO crawler.version SELECT 0 WHERE NOT EXISTS (SELECT FROM crawler.version);
"""
CATALOG_VERSION = "SELECT version FROM crawler.version"
SET_CATALOG_VERSION = "UPDATE crawler.version SET version = %s"
LOCK_RUNS = "LOCK TABLE crawler.runs IN SHARE ROW EXCLUSIVE MODE"
# `code`, `code_since` and `politeness` are read from the row as a JSON object, because
# the table of an older version lacks these columns.
RUN_COLUMNS = """id, version, number, spider, arguments, started, finished, reason,
    seconds, counters, coalesce(to_jsonb(runs) ->> 'code', ''),
    coalesce((to_jsonb(runs) ->> 'code_since')::float8, 0),
    coalesce(to_jsonb(runs) ->> 'politeness', '')"""
RUNS = f"SELECT {RUN_COLUMNS} FROM crawler.runs WHERE job = %s ORDER BY number DESC"
JOBS = "SELECT DISTINCT job FROM crawler.runs ORDER BY job"
ADD_RUN = """INSERT INTO crawler.runs(job, number, spider, arguments, started)
    VALUES(%s, %s, %s, %s, %s) RETURNING id"""
SET_CODE = """UPDATE crawler.runs SET code = %s, code_since = %s
    WHERE id = %s AND code <> %s"""
SET_POLITENESS = "UPDATE crawler.runs SET politeness = %s WHERE id = %s"
SET_RUN_VERSION = "UPDATE crawler.runs SET version = %s WHERE id = %s"
FINISH_RUN = """UPDATE crawler.runs SET finished = %s, reason = %s, report = %s,
    counters = coalesce(%s, counters) WHERE id = %s"""
REOPEN_RUN = """UPDATE crawler.runs SET finished = NULL, reason = '', report = NULL
    WHERE id = %s"""
NOTE_RUN = "UPDATE crawler.runs SET seconds = %s, counters = %s WHERE id = %s"
FORGET_RUN = "DELETE FROM crawler.runs WHERE id = %s"
REPORT = "SELECT report FROM crawler.runs WHERE job = %s AND number = %s"
FILE_COLUMNS = ", ".join(KeptFile.__struct_fields__)
FIND_FILE = f"""SELECT {FILE_COLUMNS} FROM crawler.files
    WHERE job = %s AND place = %s AND url = %s"""
FILES_AT = f"""SELECT {FILE_COLUMNS} FROM crawler.files
    WHERE job = %s AND place = %s AND key = %s"""
KEEP_FILE = f"""INSERT INTO crawler.files({FILE_COLUMNS}, job, key)
    VALUES(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT(job, place, url) DO UPDATE SET
    path = excluded.path, sha256 = excluded.sha256, size = excluded.size,
    type = excluded.type, etag = excluded.etag, modified = excluded.modified,
    run = excluded.run, key = excluded.key"""
MAKE_SCHEMA = "CREATE SCHEMA {schema}"
DROP_SCHEMA = "DROP SCHEMA IF EXISTS {schema} CASCADE"

SET_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', %s, false)"
SCHEMAS = """SELECT 'crawler'
    UNION ALL SELECT 'crawler_run_' || id FROM crawler.runs WHERE job = %s"""
# Ends the sessions that hold locks on rows or tables of these schemas, but for which
# the server has waited too long: the process is paused, or its machine is gone. The
# server's own time limits do not see a session in the middle of a pipeline. Only
# sessions of crawlers that log in with the same role are ended, and only if this role
# may end them.
END_SILENT = """SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))
    FROM pg_stat_activity AS session JOIN pg_roles AS role ON role.oid = usesysid
    WHERE usename = session_user AND pg_has_role(usesysid, 'USAGE')
    AND application_name = current_setting('application_name')
    AND (NOT rolsuper OR current_setting('is_superuser') = 'on')
    AND wait_event_type = 'Client' AND pid <> pg_backend_pid()
    AND state_change < clock_timestamp() - %s * interval '1 s' AND EXISTS (
        SELECT FROM pg_locks JOIN pg_class ON pg_class.oid = relation
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_locks.pid = session.pid AND database = session.datid
        AND mode <> 'AccessShareLock' AND nspname = ANY(%s))"""

# -- Statements that open a run.

JOIN = """INSERT INTO run.workers(machine, pid, is_leader, expires)
    VALUES(%s, %s, %s, now() + %s * interval '1 s') RETURNING id, joined, expires"""
# Workers whose lease has ended.
LAPSED = """SELECT id FROM run.workers WHERE NOT dead
    AND expires < now() - %s * interval '1 s'"""
# The same, except workers in the middle of a commit.
OUTDATED = """SELECT id FROM run.workers WHERE NOT dead
    AND expires < now() - %s * interval '1 s' FOR UPDATE SKIP LOCKED"""
# Workers of this machine; the caller knows which of their processes no longer exist.
HERE = "SELECT id, pid FROM run.workers WHERE NOT dead AND machine = %s"
LOCK_WORKERS = """SELECT id FROM run.workers WHERE id = ANY(%s) AND NOT dead
    FOR UPDATE SKIP LOCKED"""
BURY = """WITH gone AS (
        UPDATE run.workers SET dead = true, permits = 0 FROM (
            SELECT id, permits FROM run.workers WHERE id = ANY(%s)) AS before
        WHERE workers.id = before.id RETURNING before.permits),
    freed AS (
        UPDATE run.shards SET owner = NULL, free_at = now() WHERE owner = ANY(%s))
    UPDATE run.state SET pages_left = pages_left + (SELECT sum(permits) FROM gone)
    WHERE pages_left IS NOT NULL"""
ALIVE = """SELECT id, machine, pid, is_leader, joined,
        extract(epoch FROM expires - now())::float8
    FROM run.workers WHERE NOT dead ORDER BY id"""
# The fetched pages (in the counters) and the unused permits to fetch pages of each
# worker. One statement reads both, because a commit turns a permit into a page.
PAGES_TAKEN = """SELECT counters, CASE WHEN dead THEN 0 ELSE permits END
    FROM run.workers"""
# Waits until no worker is committing: a commit locks the row of its worker.
LOCK_ALIVE = "SELECT FROM run.workers WHERE NOT dead ORDER BY id FOR UPDATE"
REJOIN = "UPDATE run.workers SET has_other_limit = true WHERE NOT dead AND id <> %s"
SET_LIMITS = "UPDATE run.state SET items_limit = %s, over = NULL, pages_left = %s"
HAS_BEGUN = "SELECT EXISTS (SELECT FROM run.workers WHERE is_leader)"
# No worker of a new run takes a shard (a group of sites) before `free_at`: until then
# workers of the replaced run may still send requests to these sites.
HOLD_SHARDS = "UPDATE run.shards SET free_at = now() + %s * interval '1 s'"
TOTALS = "SELECT counters, seconds FROM run.workers"
STATE = """SELECT items, start_items, start_values, start_counts, batch, items_limit,
    pages_left IS NOT NULL FROM run.state"""
DUPLICATES = "SELECT count(*) FROM run.duplicates"
LAST_ITEM = "SELECT items FROM run.state"
FACTS = "SELECT name, value FROM run.facts WHERE batch > %s"
COOKIES = "SELECT session, domain, jar FROM run.cookies WHERE batch > %s"
TAKE_OVER_COOKIES = """INSERT INTO run.cookies(session, domain, jar, batch)
    SELECT session, domain, jar, 0 FROM earlier.cookies WHERE session = ANY(%s)"""
PAUSES = "SELECT host, until FROM run.pauses"
PENDING_HOSTS = """SELECT name, amount FROM
    (SELECT host, count(*) AS amount FROM run.pending GROUP BY host) AS waiting
    JOIN run.hosts ON number = host WHERE shard = ANY(%s)"""
WAITING = "SELECT count(*) FROM run.tries WHERE due > %s"
REJECTED_RULES = "SELECT fp, rule FROM run.rejected LIMIT %s"
EARLIER_ITEMS = "SELECT fp, items FROM run.tries WHERE items > 0"
NEXT_GROUP = "SELECT nextval('run.groups')"
ADD_HOSTS = """INSERT INTO run.hosts(name, shard) SELECT * FROM unnest(%s, %s)
    ON CONFLICT DO NOTHING"""
HOSTS = "SELECT name, number FROM run.hosts WHERE name = ANY(%s)"
DROP_STAGED = (
    "DELETE FROM run.staged_items",
    "DELETE FROM run.staged_urls",
    "DELETE FROM run.staged_rejected",
)

# -- Statements that commit a group of outcomes (results of pages).

# The lock on the worker's row waits until a lost connection's transaction is over.
FENCE = """SELECT joined, commits, expires, dead, has_other_limit
    FROM run.workers WHERE id = %s FOR UPDATE"""
LOCK_STATE = "SELECT items, pages_left, items_limit FROM run.state FOR UPDATE"
TAKE_KEYS = """INSERT INTO run.item_keys(rule, value)
    SELECT * FROM unnest(%s, %s) ON CONFLICT DO NOTHING RETURNING rule, value"""
GIVE_KEYS_BACK = """DELETE FROM run.item_keys USING unnest(%s, %s) AS given(rule, value)
    WHERE item_keys.rule = given.rule AND item_keys.value = given.value"""
ADD_URLS = """WITH new AS (
        INSERT INTO run.urls(fp, seq, parent, rank, host, depth, found, url, callback,
            found_as, options, meta)
        SELECT fp, seq, parent, rank, host, depth, %s, url, callback, found_as,
            NULLIF(options, ''), NULLIF(meta, '')
        FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS link(fp, seq, parent,
            rank, host, depth, url, callback, found_as, options, meta)
        ON CONFLICT DO NOTHING RETURNING host, rank, depth, seq, fp)
    INSERT INTO run.pending(host, rank, depth, seq, fp) SELECT * FROM new
    RETURNING fp"""
END_PAGES = """DELETE FROM run.pending USING unnest(%s) AS page(fp)
    WHERE pending.fp = page.fp RETURNING pending.fp, pending.depth"""
KEEP_PAGES = """SELECT pending.fp, pending.depth FROM run.pending
    JOIN unnest(%s) AS page(fp) ON pending.fp = page.fp FOR UPDATE OF pending"""
# Skip locked rows: the worker that owns the page is about to delete such a row.
LOWER = """WITH lower AS (
        SELECT pending.fp, pending.depth AS before, link.depth
        FROM unnest(%s, %s) AS link(fp, depth)
        JOIN run.pending ON pending.fp = link.fp
        WHERE link.depth < pending.depth FOR UPDATE OF pending SKIP LOCKED)
    UPDATE run.pending SET depth = lower.depth FROM lower WHERE pending.fp = lower.fp
    RETURNING pending.fp, lower.before, rank, seq"""
ACCEPT = """DELETE FROM run.rejected USING unnest(%s) AS new(fp)
    WHERE rejected.fp = new.fp RETURNING rejected.fp, rule"""
REJECT = """INSERT INTO run.rejected(fp, parent, found, url, rule, found_as)
    SELECT fp, parent, %s, url, rule, found_as
    FROM unnest(%s, %s, %s, %s, %s) AS link(fp, parent, url, rule, found_as)
    WHERE NOT EXISTS (SELECT FROM run.urls WHERE urls.fp = link.fp)
    ON CONFLICT DO NOTHING RETURNING fp"""
FRESH = """SELECT link.fp FROM unnest(%s) AS link(fp)
    WHERE NOT EXISTS (SELECT FROM run.urls WHERE urls.fp = link.fp)
    AND NOT EXISTS (SELECT FROM run.rejected WHERE rejected.fp = link.fp)"""
ADVANCE = """UPDATE run.state SET items = items + %s,
    start_items = greatest(start_items, %s), start_values = greatest(start_values, %s),
    start_counts = coalesce(%s, start_counts), batch = batch + 1"""
ADD_NEWS = """INSERT INTO run.news(batch, host, shard, rank, depth, seq)
    SELECT state.batch, host, shard, rank, depth, seq
    FROM run.state, unnest(%s, %s, %s, %s, %s) AS link(host, shard, rank, depth, seq)"""
END_RUN = "UPDATE run.state SET over = coalesce(over, %s)"
# `state.items` already counts the items of this commit, so it is the number of the last
# item.
ADD_ITEMS = """INSERT INTO run.items(sequence, fp, ordinal, type, body)
    SELECT state.items - %s + n, fp, ordinal, type, body
    FROM run.state, unnest(%s, %s, %s, %s)
        WITH ORDINALITY AS item(fp, ordinal, type, body, n)"""
ADD_VISITS = """INSERT INTO run.visits(fp, time, received, last_item, items, elapsed,
        depth, state, status, reason, detail)
    SELECT fp, %s, received, state.items - %s + upto, visit.items, elapsed, depth,
        visit.state, status, reason, detail
    FROM run.state, unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS visit(fp,
        received, upto, items, elapsed, depth, state, status, reason, detail)"""
SET_TRIES = """INSERT INTO run.tries(fp, first_tried, due, delay, attempt, redirects,
        items, chain, options)
    SELECT fp, first_tried, due, delay, attempt, redirects, items, chain,
        NULLIF(options, '')
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s) AS page(fp, first_tried, due, delay,
        attempt, redirects, items, chain, options)
    ON CONFLICT (fp) DO UPDATE SET first_tried = excluded.first_tried,
        due = excluded.due, delay = excluded.delay, attempt = excluded.attempt,
        redirects = excluded.redirects, items = excluded.items,
        chain = excluded.chain, options = coalesce(excluded.options, tries.options)"""
END_TRIES = """DELETE FROM run.tries USING unnest(%s) AS page(fp)
    WHERE tries.fp = page.fp"""
ADD_DUPLICATES = """INSERT INTO run.duplicates(fp, times, parent, callback)
    SELECT * FROM unnest(%s, %s, %s, %s)
    ON CONFLICT (fp) DO UPDATE SET times = duplicates.times + excluded.times,
        parent = excluded.parent, callback = excluded.callback"""
COUNT_DUPLICATES = """UPDATE run.duplicates SET times = duplicates.times + more.times,
        parent = more.parent, callback = more.callback
    FROM unnest(%s, %s, %s, %s) AS more(fp, times, parent, callback)
    WHERE duplicates.fp = more.fp"""
ADD_FACTS = """INSERT INTO run.facts(name, value, batch)
    SELECT name, value, state.batch FROM run.state, unnest(%s, %s) AS fact(name, value)
    ON CONFLICT DO NOTHING"""
SET_COOKIES = """INSERT INTO run.cookies(session, domain, jar, batch)
    SELECT session, domain, jar, state.batch
    FROM run.state, unnest(%s, %s, %s) AS cookie(session, domain, jar)
    ON CONFLICT (session, domain) DO UPDATE
        SET jar = excluded.jar, batch = excluded.batch"""
SET_PAUSES = """INSERT INTO run.pauses(host, until) SELECT * FROM unnest(%s, %s)
    ON CONFLICT (host) DO UPDATE SET until = excluded.until"""
COUNT = """UPDATE run.workers SET commits = %s, counters = %s, seconds = %s,
    status = coalesce(%s, status), permits = permits - %s WHERE id = %s"""
SET_STATUS = "UPDATE run.workers SET status = %s WHERE id = %s"
STATUS = """SELECT status FROM run.workers WHERE status IS NOT NULL
    ORDER BY id DESC LIMIT 1"""
END_OF_GROUP = "SELECT nextval('run.groups'), items FROM run.state"
# The lock on the worker's row waits until a lost connection's transaction is over.
COMMITS = "SELECT commits FROM run.workers WHERE id = %s FOR UPDATE"
LEAVE = "UPDATE run.workers SET seconds = %s WHERE id = %s AND NOT dead RETURNING id"

# -- Statements by which several workers share a run.

RENEW = """UPDATE run.workers SET expires = now() + %s * interval '1 s',
    read_batch = %s, idle = %s WHERE id = %s RETURNING expires"""
STANDING = """SELECT workers, idle, batch, over, pages_left, permits, items, items_limit
    FROM run.state, (SELECT count(*) AS workers, count(*) FILTER (WHERE idle) AS idle,
        sum(permits)::bigint AS permits FROM run.workers WHERE NOT dead) AS alive"""
TERMS = """SELECT code, code_since, politeness FROM crawler.runs
    WHERE id = %s AND (code <> %s OR politeness <> %s)"""
CLAIM = """UPDATE run.shards SET owner = %s WHERE shard IN (
        SELECT shard FROM run.shards
        WHERE owner IS NULL AND wanted IS NULL AND free_at <= now()
        ORDER BY random() LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING shard"""
WANT = """UPDATE run.shards SET wanted = %s WHERE shard IN (
        SELECT shard FROM run.shards WHERE shard = ANY(%s) AND wanted IS NULL
        FOR UPDATE SKIP LOCKED)"""
# Shards (groups of sites) of this worker for which another worker waits.
CALLED = "SELECT shard FROM run.shards WHERE owner = %s AND wanted <> owner"
CLAIM_WANTED = """UPDATE run.shards SET owner = wanted, wanted = NULL WHERE shard IN (
        SELECT shard FROM run.shards
        WHERE wanted = %s AND (owner IS NULL OR owner = wanted) AND free_at <= now()
        FOR UPDATE SKIP LOCKED)
    RETURNING shard"""
UNWANT = "UPDATE run.shards SET wanted = NULL WHERE wanted = ANY(%s)"
GIVE_UP = """UPDATE run.shards SET owner = NULL, free_at = now() + interval '100 ms'
    WHERE owner = %s AND shard = ANY(%s)"""
NEWS = """SELECT host, rank, depth, seq FROM run.news
    WHERE batch > %s AND shard = ANY(%s)"""
FORGET_NEWS = """DELETE FROM run.news WHERE batch <= (
    SELECT min(read_batch) FROM run.workers WHERE NOT dead)"""
GAINED = """SELECT name, extract(epoch FROM not_before - now())::float8 FROM run.hosts
    WHERE shard = ANY(%s) AND (not_before > now() OR EXISTS (
        SELECT FROM run.pending WHERE pending.host = hosts.number))"""
REST = """INSERT INTO run.hosts(name, shard, not_before)
    SELECT host, shard, now() + seconds * interval '1 s'
    FROM unnest(%s, %s, %s) AS rest(host, shard, seconds)
    ON CONFLICT (name) DO UPDATE SET not_before = excluded.not_before"""
# The statement locks the row of the table `state`, so that each permit to fetch a page
# is granted to one worker only.
PAGES_LEFT = """SELECT pages_left, (
        SELECT count(*) FROM run.workers WHERE NOT dead AND NOT idle)
    FROM run.state FOR UPDATE"""
ADD_PERMITS = "UPDATE run.workers SET permits = permits + %s WHERE id = %s"
RETURN_PERMITS = "UPDATE run.state SET pages_left = pages_left + %s"
IS_DRY = """SELECT NOT EXISTS (SELECT FROM run.pending)
    AND EXISTS (SELECT FROM run.facts WHERE name = 'start_ended')"""
OTHERS = "SELECT counters FROM run.workers WHERE id <> %s"
ROBOTS = """SELECT status, body FROM run.robots
    WHERE url = %s AND asked > now() - interval '1 day'"""
KEEP_ROBOTS = """INSERT INTO run.robots(url, status, body) VALUES(%s, %s, %s)
    ON CONFLICT (url) DO UPDATE SET status = excluded.status, body = excluded.body,
        asked = now()"""

# -- Statements that write results of a page aside before the page ends.

# A portion of a page's results may be written twice, if the response to its COMMIT was
# lost.
STAGE_ITEMS = """INSERT INTO run.staged_items(page, ordinal, type, keys, body)
    SELECT %s, * FROM unnest(%s, %s, %s, %s) ON CONFLICT DO NOTHING"""
STAGE_URLS = """INSERT INTO run.staged_urls(page, portion, fp, again, parent, rank,
        host, depth, url, callback, found_as, options, meta)
    SELECT %s, %s, fp, again, parent, rank, host, depth, url, callback, found_as,
        NULLIF(options, ''), NULLIF(meta, '')
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS link(fp, again, parent,
        rank, host, depth, url, callback, found_as, options, meta)
    ON CONFLICT (page, fp) DO UPDATE
        SET depth = least(staged_urls.depth, excluded.depth),
        again = staged_urls.again + excluded.again, portion = excluded.portion
        WHERE staged_urls.portion < excluded.portion"""
STAGE_REJECTED = """INSERT INTO run.staged_rejected(page, fp, parent, url, rule,
        found_as)
    SELECT %s, * FROM unnest(%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
DROP_PAGE = tuple(f"{statement} WHERE page = %s" for statement in DROP_STAGED)
STAGED_ITEMS = """SELECT keys, body, type FROM run.staged_items
    WHERE page = %s AND ordinal >= %s ORDER BY ordinal LIMIT %s"""
LAND_URLS = """WITH new AS (
        INSERT INTO run.urls(fp, seq, parent, rank, host, depth, found, url, callback,
            found_as, options, meta)
        SELECT fp, %s + row_number() OVER (ORDER BY place), parent, rank, host, depth,
            %s, url, callback, found_as, options, meta
        FROM run.staged_urls WHERE page = %s ORDER BY fp
        ON CONFLICT DO NOTHING RETURNING host, rank, depth, seq, fp),
    added AS (
        INSERT INTO run.pending(host, rank, depth, seq, fp) SELECT * FROM new)
    SELECT name, rank, depth, min(seq), count(*), max(seq)
    FROM new JOIN run.hosts ON number = host GROUP BY name, rank, depth"""
# Counts repeated requests among those that the spider built and a page wrote aside. The
# spider's first request for a new URL is no repetition, unless a link came before it.
STAGED_AGAIN = f"""SELECT fp, times, parent, callback FROM (
        SELECT fp, parent, callback, again - (found_as = '{BUILT}' AND NOT EXISTS (
            SELECT FROM run.urls WHERE urls.fp = staged.fp))::int AS times
        FROM run.staged_urls AS staged WHERE page = %s AND again > 0) AS link
    WHERE times > 0"""
LOWER_STAGED = """WITH lower AS (
        SELECT pending.fp, pending.depth AS before, staged.depth, pending.host
        FROM run.staged_urls AS staged JOIN run.pending ON pending.fp = staged.fp
        WHERE staged.page = %s AND staged.depth < pending.depth
        FOR UPDATE OF pending SKIP LOCKED)
    UPDATE run.pending SET depth = lower.depth FROM lower, run.hosts
    WHERE pending.fp = lower.fp AND hosts.number = lower.host
    RETURNING pending.fp, hosts.name, rank, lower.depth, seq"""
ACCEPT_STAGED = """DELETE FROM run.rejected USING run.staged_urls AS staged
    WHERE staged.page = %s AND rejected.fp = staged.fp RETURNING rejected.fp, rule"""
STAGED_REJECTED = """SELECT place, fp, url, rule, parent, found_as
    FROM run.staged_rejected
    WHERE page = %s AND place > %s ORDER BY place LIMIT %s"""

# -- Statements that read a run.

TAKE = """SELECT page.rank, page.depth, page.seq, page.fp, url, callback, parent,
        found_as, coalesce(tries.options, urls.options), meta, attempt, first_tried,
        due, delay, redirects, chain
    FROM (SELECT rank, depth, seq, fp FROM run.pending
          WHERE host = %s AND fp NOT IN (SELECT unnest(%s))
          ORDER BY rank, depth, seq LIMIT %s) AS page
    JOIN run.urls ON urls.fp = page.fp LEFT JOIN run.tries ON tries.fp = page.fp
    ORDER BY page.rank, page.depth, page.seq"""
ITEMS_AFTER = """SELECT sequence, fp, ordinal, body, NULL, type FROM run.items
    WHERE sequence > %s ORDER BY sequence LIMIT %s"""
SINK_POSITION = "SELECT position FROM run.sinks WHERE name = %s"
SINK_POSITIONS = "SELECT position FROM run.sinks"
SET_SINK_POSITION = """INSERT INTO run.sinks(name, position) VALUES(%s, %s)
    ON CONFLICT (name) DO UPDATE SET position = excluded.position"""
URL_STORY = """SELECT url.url, url.depth, pending.depth, url.found_as, url.found,
        due, parent.url
    FROM run.urls AS url LEFT JOIN run.pending ON pending.fp = url.fp
    LEFT JOIN run.tries ON tries.fp = url.fp
    LEFT JOIN run.urls AS parent ON parent.fp = url.parent WHERE url.fp = %s"""
DUPLICATES_OF = """SELECT times, link.callback, parent.url FROM run.duplicates AS link
    LEFT JOIN run.urls AS parent ON parent.fp = link.parent WHERE link.fp = %s"""
VISITS_OF = """SELECT time, state, reason, detail, status, elapsed, received, items,
        last_item, depth
    FROM run.visits WHERE fp = %s ORDER BY number"""
REJECTED_STORY = """SELECT link.url, rule, parent.url, link.found_as, link.found
    FROM run.rejected AS link LEFT JOIN run.urls AS parent ON parent.fp = link.parent
    WHERE link.fp = %s"""
ITEM_SAMPLE = """SELECT sequence, body FROM run.items WHERE sequence > %s
    AND sequence %% %s = 0 ORDER BY sequence LIMIT %s"""
VISITS_AFTER = """SELECT visits.number, visits.fp, time, visits.state, reason, detail,
        status, elapsed, received, url, name, parent
    FROM run.visits JOIN run.urls ON urls.fp = visits.fp
    JOIN run.hosts ON hosts.number = urls.host
    WHERE visits.number > %s AND elapsed IS NOT NULL ORDER BY visits.number LIMIT %s"""
REQUESTS_OF = "SELECT fp, options FROM run.urls WHERE url = %s ORDER BY seq"
WORKERS = """SELECT machine, pid, is_leader,
        extract(epoch FROM expires - now())::float8, counters, status,
        (SELECT count(*)::int FROM run.shards WHERE owner = workers.id)
    FROM run.workers WHERE NOT dead ORDER BY is_leader DESC, id"""
URL_OF = "SELECT url FROM run.urls WHERE fp = %s"

# -- Statements that put failed pages back into the queue.

# Makes the run unfinished again: forgets that its spider has stopped the run, or has
# yielded its last items.
GO_ON = "DELETE FROM run.facts WHERE name IN ('stopped', 'closed')"

FAILED = """SELECT visit.fp, reason, status, visit.depth, url.parent, url.host,
        url.rank, url.seq
    FROM (SELECT DISTINCT ON (fp) fp, state, reason, status, depth
          FROM run.visits ORDER BY fp, number DESC) AS visit
    JOIN run.urls AS url ON url.fp = visit.fp WHERE visit.state = 2 ORDER BY visit.fp"""
GIVEN_ITEMS = "SELECT fp, sum(items) FROM run.visits WHERE fp = ANY(%s) GROUP BY fp"
PUT_BACK = """INSERT INTO run.pending(fp, host, rank, depth, seq)
    SELECT * FROM unnest(%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
ADJUST = """INSERT INTO run.workers(machine, pid, dead, counters)
    VALUES('', 0, true, %s)"""
REOPEN_PAGES = """INSERT INTO run.visits(fp, time, received, last_item, items, elapsed,
        depth, state, status, reason, detail)
    SELECT fp, %s, 0, 0, 0, NULL, depth, 0, 0, '', ''
    FROM unnest(%s, %s) AS page(fp, depth)"""
