"""A result as pages: `result.md` with a table a family, a chart each, and the figures in the README between two marks.

Always: every figure is computed from the result, none is written here; the same result makes the same bytes.
Not here: what a row is (`result.py`), how a bar is drawn (`chart.py`)."""
import os, re, textwrap, time

import chart, result

BEGIN, END = "<!-- figures: written by bench/run from docs/performance/result.json -->", "<!-- end of figures -->"
FAMILIES = {
    "produce": "Produce", "small": "Small requests", "consume": "Consume", "e2e": "End to end", "fanout": "Fan-out", "txn": "Transactions",
    "group": "Consumer groups", "mem": "Connections", "start": "Start and idle", "many": "Many partitions",
    "fsync": "Every acknowledgement after an fsync, in both", "cli": "Tools",
}
HEADLINES = [
    ("produce/1k-64k", "broker_cpu_s_per_gb", "CPU of a gigabyte produced, batches of 64 KiB, acks=1"),
    ("produce/1k-16k", "broker_cpu_s_per_gb", "CPU of a gigabyte produced, batches of 16 KiB, acks=1"),
    ("produce/1k-64k-all", "broker_cpu_s_per_gb", "CPU of a gigabyte produced, batches of 64 KiB, acks=all"),
    ("produce/1k-64k-all", "mb_s", "MB/s produced, batches of 64 KiB, acks=all"),
    ("produce/java-like", "broker_cpu_s_per_gb", "CPU of a gigabyte as Java's producer sends it, acks=all"),
    ("small/one-in-flight", "broker_cpu_us_per_request", "CPU of a request with one record"),
    ("small/one-in-flight", "ack_p50_us", "answer to a single record, p50"),
    ("small/one-in-flight", "ack_p99_us", "answer to a single record, p99"),
    ("consume/1k-64k", "broker_cpu_s_per_gb", "CPU of a gigabyte consumed from the page cache"),
    ("fanout/1x4", "broker_cpu_s_per_gb_out", "CPU of a gigabyte read by four groups as it comes"),
    ("e2e/5k-100b", "e2e_p50_us", "producer to consumer, 5,000 records a second, p50"),
    ("e2e/5k-100b", "e2e_p99_us", "producer to consumer, 5,000 records a second, p99"),
    ("txn/10x1", "txn_s", "transactions a second of one producer, 10 records each"),
    ("txn/v2/10x1", "txn_s", "transactions a second with KIP-890's protocol"),
    ("txn/v2/latency/1-rate-100", "e2e_p50_us", "begin of a transaction to its record read, p50"),
    ("group/commit", "broker_cpu_us_per_commit", "CPU of an offset commit"),
    ("mem/1000-conns", "rss_mb", "memory with 1,000 idle connections"),
    ("start/empty", "cold_served_ms", "start on an empty directory"),
    ("start/empty", "idle_rss_mb", "idle memory"),
    ("many/1k-partitions", "restart_kill9_ms", "start after `kill -9`, 1,000 partitions"),
    ("many/10k-partitions", "restart_kill9_ms", "start after `kill -9`, 10,000 partitions"),
    ("many/10k-partitions", "create_s", "creating 10,000 partitions"),
    ("cli/topics-list", "wall_ms", "`topics --list` of 1,000 topics"),
    ("cli/console-consumer", "wall_ms", "`console-consumer` of a million records"),
]
SYNCED = [
    ("fsync/one-in-flight", "requests_s", "requests a second, one producer"),
    ("fsync/one-in-flight", "ack_p50_us", "answer to one producer, p50"),
    ("fsync/many", "requests_s", "requests a second, 16 producers, four partitions"),
    ("fsync/many", "ack_p50_us", "answer to one of the 16, p50"),
    ("fsync/100-producers", "requests_s", "requests a second, 100 producers, one partition"),
]


def write(doc, goals, folder, readme=None, check=False):
    """all pages, and the figures in `readme` if one is named; with `check` nothing is written.  The paths that were stale."""
    pages = {os.path.join(folder, "result.md"): markdown(doc, goals)}
    charts = {family: family_chart(doc, goals, family, rows) for family, rows in families(doc)}
    for name, svg in dict(charts, overview=overview(doc)).items():
        if svg:
            pages[os.path.join(folder, "charts", name + ".svg")] = svg
    if readme:
        pages[readme] = between_marks(read(readme), figures(doc, goals))
    stale = [path for path, text in pages.items() if read(path) != text]
    for path in [] if check else stale:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w") as f:
            f.write(pages[path])
    return stale


def read(path):
    if not os.path.exists(path):
        return None
    with open(path) as f:
        return f.read()


def between_marks(text, figures):
    if text is None or text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit("the README needs one line `%s` and one `%s`" % (BEGIN, END))
    return text[: text.index(BEGIN) + len(BEGIN)] + "\n" + figures + text[text.index(END):]


def families(doc):
    found = {}
    for row in doc["rows"]:
        found.setdefault(row["workload"].split("/")[0], []).append(row)
    return sorted(found.items(), key=lambda f: list(FAMILIES).index(f[0]) if f[0] in FAMILIES else len(FAMILIES))


def in_rows(doc, rows):
    """the brokers that have a figure in them, in the result's order"""
    return [b["name"] for b in doc["meta"]["brokers"] if any(b["name"] in r["by"] for r in rows)]


# ---------------------------------------------------------------- result.md
def markdown(doc, goals):
    who, base = result.compared(doc), doc["meta"]["brokers"][0]["name"]
    missing = len(goals) - len({result.goal_key(r) for r in doc["rows"]} & set(goals))
    out = [
        "# Result\n",
        "Written by `bench/run` from [result.json](result.json); `bench/run --render` writes it again.\n",
        paragraph(
            "%d of the %d goals of [goals.json](../../bench/goals.json) are met%s. A gain above 1 is better than %s, whatever the figure; a goal"
            " is the least gain of %s that is wanted. Cells are the median of the rounds [least .. greatest]. `~`: others used more than %d %% of"
            " the machine, so that times and rates of that line count for little. More of a figure is better where ↑ stands, less everywhere else."
            % (count_met(doc, goals), len(goals), " (%d were not measured)" % missing if missing else "", base, who, result.NOISY * 100)
        ),
        summary(doc, goals), conditions(doc),
    ]
    for family, rows in families(doc):
        out.append("## %s\n" % FAMILIES.get(family, family))
        if family_chart(doc, goals, family, rows):
            out.append("![%s, as ratios](charts/%s.svg)\n" % (FAMILIES.get(family, family), family))
        out += [table(doc, goals, rows), workloads(doc, rows)]
    if doc["failures"]:
        out += ["## Failed\n", "\n".join("- `%s` on %s: %s" % (f["workload"], f["broker"], f["error"].splitlines()[0] if f["error"] else "?") for f in doc["failures"]) + "\n"]
    return "\n".join(out).rstrip() + "\n"


def summary(doc, goals):
    who = result.compared(doc)
    rows = {result.goal_key(r): r for r in doc["rows"]}
    out = ["| family | goals | met | not measured | missed |", "|---|---|---|---|---|"]
    for family in FAMILIES:
        mine = {k: g for k, g in goals.items() if k[0].split("/")[0] == family}
        missed = [(k, rows[k], g) for k, g in mine.items() if k in rows and not result.is_met(g, rows[k], who)]
        if mine:
            words = "; ".join("`%s` %s: %s of %gx" % (*k, ratio(row["gain"].get(who)) or "no figure", g["gain"]) for k, row, g in missed)
            out.append("| %s | %d | %d | %d | %s |" % (FAMILIES[family], len(mine), count_met(doc, mine), sum(k not in rows for k in mine), words))
    return "\n".join(out) + "\n"


def count_met(doc, goals):
    rows = {result.goal_key(r): r for r in doc["rows"]}
    return sum(result.is_met(g, rows.get(k), result.compared(doc)) for k, g in goals.items())


def paragraph(text):
    return textwrap.fill(text, 125, break_long_words=False, break_on_hyphens=False) + "\n"


def conditions(doc):
    out = ["## Measured on\n", "| what | |", "|---|---|"]
    for machine, names in distinct(doc["runs"], machine_text):
        out.append("| machine%s | %s |" % (only(names, doc), machine))
    for broker in doc["meta"]["brokers"]:
        mine = [dict(r, broker=b) for r in doc["runs"] for b in r["brokers"] if b["name"] == broker["name"]]
        for words, names in distinct(mine, lambda r: broker_text(r["broker"])):
            out.append("| %s%s | %s |" % (broker["name"], only(names, {"runs": mine}), words))
    for words, names in distinct(doc["runs"], lambda r: "%d rounds%s" % (r["rounds"], "" if r["scale"] == 1 else ", at %g of the usual size" % r["scale"])):
        out.append("| rounds%s | %s |" % (only(names, doc), words))
    times = sorted(r["time"] for r in doc["runs"])
    minutes = sum(r["took_s"] or 0 for r in doc["runs"]) / 60
    out.append("| when | %d runs that ended between %s and %s UTC and took %.0f minutes |" % (len(times), day_time(times[0]), day_time(times[-1]), minutes))
    return "\n".join(out) + "\n"


def distinct(runs, words):
    """[(text, workloads of the runs that it is true of)]"""
    found = {}
    for run in runs:
        found.setdefault(words(run), []).extend(run["workloads"])
    return list(found.items())


def only(names, doc):
    return "" if len(names) == sum(len(r["workloads"]) for r in doc["runs"]) else " (%s)" % ", ".join("`%s`" % n for n in names)


def machine_text(run):
    return "%s, %s cores, %s GiB of memory, disk %s, kernel %s, %s" % tuple(run[k] or "unknown" for k in ("cpu", "cores", "memory_gib", "disk", "kernel", "system"))


def broker_text(broker):
    size = "binary of %.1f MB, sha256 %s…" % (broker["binary_bytes"] / 1e6, broker["binary_sha256"][:12]) if "binary_bytes" in broker else None
    return "; ".join(x for x in (broker.get("version") or "version unknown", size, broker.get("note")) if x)


def table(doc, goals, rows):
    who, names = result.compared(doc), in_rows(doc, rows)
    base, others = names[:1], names[1:]
    head, goal = ["workload", "figure"] + base, any(result.goal_key(r) in goals for r in rows)
    for name in others:
        head += [name, "gain"] + (["goal"] if name == who and goal else [])
    out = ["| %s |" % " | ".join(head), "|" + "---|" * len(head)]
    for row in rows:
        cells = ["`%s`" % row["workload"], row["figure"] + (" ↑" if row["better"] == "more" else "") + (" ~" if result.noisy(row) else "")]
        cells += [cell(row["by"].get(name)) for name in base]
        for name in others:
            cells += [cell(row["by"].get(name)), ratio(row["gain"].get(name))]
            if name == who and goal:
                cells.append(goal_text(goals.get(result.goal_key(row)), row, who))
        out.append("| %s |" % " | ".join(cells))
    return "\n".join(out) + "\n"


def goal_text(goal, row, who):
    if not goal:
        return ""
    return ("%gx met" if result.is_met(goal, row, who) else "**%gx missed**") % goal["gain"]


def workloads(doc, rows):
    names = dict.fromkeys(r["workload"] for r in rows)
    return "\n".join("- `%s`: %s" % (n, doc["workloads"][n]) for n in names if n in doc["workloads"]) + "\n"


def cell(figure):
    if not figure:
        return ""
    spread = " [%s .. %s]" % (number(figure["min"]), number(figure["max"])) if len(figure["runs"]) > 1 else ""
    return number(figure["median"]) + spread


def number(x):
    size = abs(x)
    return "{:,.0f}".format(x) if size >= 100 else "%.1f" % x if size >= 10 else "%.2f" % x if size >= 1 else "%.3g" % x


def ratio(gain):
    return "" if gain is None else number(gain) + "x"


def day_time(stamp):
    t = time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")
    return "%d %s" % (t.tm_mday, time.strftime("%B %Y, %H:%M", t))


# ---------------------------------------------------------------- charts
def family_chart(doc, goals, family, rows):
    """every figure with a goal, and of each workload the first: the figure that says most"""
    seen, drawn = set(), []
    alone = len({r["workload"] for r in rows}) == 1
    for row in rows:
        goal = goals.get(result.goal_key(row))
        if row["gain"] and (goal or row["workload"] not in seen):
            drawn.append((label(row, family, alone), row["gain"], goal and goal["gain"]))
        seen.add(row["workload"])
    series = [n for n in in_rows(doc, rows)[1:] if any(n in by for _, by, _ in drawn)]
    return series and chart.bars("%s: times better than %s" % (FAMILIES.get(family, family), doc["meta"]["brokers"][0]["name"].capitalize()), drawn, series)


def label(row, family, alone):
    words = figure_words(row["figure"])
    return words if alone else "%s, %s" % (row["workload"][len(family) + 1:], words)


def figure_words(figure):
    known = {"mb_s": "MB/s", "records_s": "records/s", "requests_s": "requests/s", "txn_s": "transactions/s", "commits_s": "commits/s"}
    if figure in known:
        return known[figure]
    words = figure.replace("_per_", "/").replace("broker_", "").replace("_", " ")
    return re.sub(r"\b(cpu|gb|mb|rss|mrec)\b", lambda m: {"mrec": "M records"}.get(m.group(), m.group().upper()), words).replace(" us", " µs")


def overview(doc):
    rows, who = {result.goal_key(r): r for r in doc["rows"]}, result.compared(doc)
    drawn = [(words.replace("`", ""), {who: rows[w, f]["gain"][who]}, None) for w, f, words in HEADLINES if who in rows.get((w, f), {"gain": {}})["gain"]]
    return drawn and chart.bars("%s: times better than %s, both with page-cache durability" % (who.capitalize(), doc["meta"]["brokers"][0]["name"].capitalize()), drawn, [who])


# ---------------------------------------------------------------- README
def figures(doc, goals):
    base, who = doc["meta"]["brokers"][0], result.compared(doc)
    rows = {result.goal_key(r): r for r in doc["rows"]}
    gains = lambda workload, figure: rows.get((workload, figure), {"gain": {}})["gain"]
    version = re.search(r"\d+\.\d+(\.\d+)?", base.get("version") or "")
    day = day_time(max(r["time"] for r in doc["runs"])).split(",")[0]
    out = [
        paragraph(
            "How many times better than Apache Kafka%s, medians of one run on %s cores (%s), %s. On the left both have page-cache durability"
            " (`ottla.durability=memory`); on the right ours has its default, where `acks=all`, commits and transactions wait for the disk,"
            " and Kafka still does not. Records have 1 KiB where a gigabyte is counted, and 100 B in the other rows."
            % (" " + version.group() if version else "", doc["meta"]["cores"], doc["meta"]["cpu"], day)
        ),
        "| | `memory` | `disk` |\n|---|---|---|",
    ]
    out += ["| %s | %s | %s |" % (words, ratio(by[who]), ratio(by.get(who + "-disk"))) for words, by in ((h[2], gains(*h[:2])) for h in HEADLINES) if who in by]
    synced = ["| %s | %s |" % (words, ratio(by[who])) for words, by in ((h[2], gains(*h[:2])) for h in SYNCED) if who in by]
    if synced:
        out += ["\nWhere both sync before every acknowledgement, records of 1 KiB:\n", "| | both synced |\n|---|---|"] + synced
    if overview(doc):
        out.append("\n![the same as bars](docs/performance/charts/overview.svg)")
    sizes = [" The binary has %.1f MB." % (b["binary_bytes"] / 1e6) for b in doc["meta"]["brokers"] if b["name"] == who and "binary_bytes" in b]
    out.append("\n" + paragraph(
        "%d of %d goals are met.%s [docs/performance/result.md](docs/performance/result.md) has every figure with its spread, the machine, and what"
        " is missed; `bench/run` measures it again." % (count_met(doc, goals), len(goals), "".join(sizes))
    ))
    return "\n".join(out)
