"""The result of a measurement, as one JSON document that grows run by run.

    {"meta":      the last run's machine, brokers and time; `brokers` are those of all runs,
     "runs":      one entry a call of compare: when, how long, on what machine, which builds, which workloads,
     "workloads": {name: what it does},
     "rows":      one entry a workload and figure: {"by": {broker: median, min, max, runs}, "gain": {broker: ratio to the first}},
     "failures":  what could not be measured, and why}

Always: a workload belongs to one run, the last that measured it, so that both sides of a ratio are of the same quarter of an
hour.  Not here: measuring (`compare`), pages and charts (`page.py`, `chart.py`)."""
import json, os

NOISY = 0.2  # a line whose times count for little: others used more than this share of the machine
MACHINE = ("cpu", "cores", "memory_gib", "disk", "kernel", "system")


def load(path):
    if not os.path.exists(path):
        return None
    with open(path) as f:
        return json.load(f)


def save(path, doc):
    """a line for each entry of a list, so that a diff shows what changed; the old file stays until the new one is whole"""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".new", "w") as f:
        f.write("{\n" + ",\n".join('"%s": %s' % (k, block(v)) for k, v in doc.items()) + "\n}\n")
    os.replace(path + ".new", path)


def block(value):
    dump = lambda v: json.dumps(v, ensure_ascii=False)
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(map(dump, value)) + "\n]"
    if isinstance(value, dict) and value:
        return "{\n" + ",\n".join("%s: %s" % (dump(k), dump(v)) for k, v in value.items()) + "\n}"
    return dump(value)


def merge(old, part, order=()):
    """`old` with the workloads of `part`, one call of compare, in place of what it had of them; `order` sorts the workloads"""
    run = {k: part["meta"].get(k) for k in ("time", "took_s", "rounds", "scale") + MACHINE + ("brokers",)}
    run["workloads"] = list(part["workloads"])
    part = dict(part, runs=[run])
    if not old:
        return {k: part.get(k, []) for k in ("meta", "runs", "workloads", "rows", "failures")}
    again = set(part["workloads"])
    runs = [dict(r, workloads=[w for w in r["workloads"] if w not in again]) for r in old.get("runs", [])]
    place = {name: i for i, name in enumerate(order)}
    by_place = lambda row: place.get(row["workload"], len(place))
    keep = lambda rows: [r for r in rows if r["workload"] not in again]
    return {
        "meta": dict(part["meta"], brokers=union(old["meta"]["brokers"], part["meta"]["brokers"])),
        "runs": [r for r in runs if r["workloads"]] + [run],
        "workloads": dict(old.get("workloads", {}), **part["workloads"]),
        "rows": sorted(keep(old["rows"]) + part["rows"], key=by_place),
        "failures": sorted(keep(old.get("failures", [])) + part["failures"], key=by_place),
    }


def union(old, new):
    newest = {b["name"]: b for b in new}
    return [newest.pop(b["name"], b) for b in old] + [b for b in new if b["name"] in newest]


def measured(doc, workloads, brokers, rounds, scale):
    """whether all of these workloads are there, from all of these brokers, in so many rounds of that size"""
    have = set()
    for run in (doc or {}).get("runs", []):
        if run["rounds"] >= rounds and run["scale"] == scale and set(brokers) <= {b["name"] for b in run["brokers"]}:
            have.update(run["workloads"])
    return set(workloads) <= have


def noisy(row):
    return row.get("others", 0) > NOISY


def goal_key(entry):
    return entry["workload"], entry["figure"]


def load_goals(path):
    with open(path) as f:
        return {goal_key(g): g for g in json.load(f)["goals"]}


def compared(doc):
    """the broker that the goals are for: the second; the first is what it is compared with"""
    return doc["meta"]["brokers"][1]["name"] if len(doc["meta"]["brokers"]) > 1 else None


def is_met(goal, row, broker):
    gain = row["gain"].get(broker) if row else None
    return gain is not None and gain >= goal["gain"]
