#!/usr/bin/env python3
"""What `run` does between two measurements: merging, going on where it was, and the pages.  `bench/test_run.py` runs it.

The pages are compared whole with those in `sample/`; UPDATE_SAMPLES=1 writes them, and the difference is what to review."""
import argparse, importlib.machinery, importlib.util, os, tempfile, unittest, xml.dom.minidom

import page, result

HERE = os.path.dirname(os.path.realpath(__file__))
SAMPLE = os.path.join(HERE, "sample")


def load_run():
    loader = importlib.machinery.SourceFileLoader("run", os.path.join(HERE, "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
    loader.exec_module(module)
    return module


run = load_run()
GOALS = result.load_goals(run.GOALS)


def sample(name):
    return result.load(os.path.join(SAMPLE, name))


def merged():
    return result.merge(result.merge(None, sample("first.json")), sample("second.json"), run.all_workloads())


class Merging(unittest.TestCase):
    def test_a_workload_that_is_measured_again_replaces_all_that_was_known_of_it(self):
        doc = merged()
        rows = [r for r in doc["rows"] if r["workload"] == "produce/1k-64k-all"]
        self.assertEqual([(r["figure"], list(r["gain"])) for r in rows], [("broker_cpu_s_per_gb", ["ottla", "ottla-disk"]), ("mb_s", ["ottla", "ottla-disk"])])
        self.assertEqual([len(r["workloads"]) for r in doc["runs"]], [3, 2], "each workload is of one run")

    def test_rows_and_brokers_keep_their_order_whatever_was_measured_first(self):
        backwards = result.merge(result.merge(None, sample("second.json")), sample("first.json"), run.all_workloads())
        families = [r["workload"].split("/")[0] for r in backwards["rows"]]
        self.assertEqual(list(dict.fromkeys(families)), ["produce", "consume", "txn", "fsync"])
        self.assertEqual(result.compared(backwards), "ottla")

    def test_a_saved_result_is_read_back_as_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "result.json")
            result.save(path, merged())
            self.assertEqual(result.load(path), merged())

    def test_a_workload_whose_failure_is_mended_is_no_failure_any_more(self):
        again = sample("second.json")
        again["workloads"] = {"txn/load/100k": "mended"}
        self.assertEqual(len(merged()["failures"]), 1)
        self.assertEqual(result.merge(merged(), again)["failures"], [])


class GoingOn(unittest.TestCase):
    def test_what_was_measured_with_fewer_rounds_another_scale_or_without_a_broker_is_measured_again(self):
        known = lambda **other: result.measured(merged(), **dict(dict(workloads=["produce/1k-64k"], brokers=["kafka", "ottla"], rounds=3, scale=1.0), **other))
        self.assertTrue(known())
        self.assertTrue(known(rounds=2))
        self.assertFalse(known(rounds=5))
        self.assertFalse(known(scale=0.05))
        self.assertFalse(known(brokers=["kafka", "ottla", "kfake"]))
        self.assertFalse(known(workloads=["produce/1k-64k", "produce/1k-16k"]))

    def test_each_workload_is_in_one_slice_and_each_goal_in_a_workload(self):
        workloads = run.all_workloads()
        slices = [run.Slice(*s, workloads, argparse.Namespace(rounds=3, brokers=[])) for s in run.SLICES]
        self.assertEqual(sorted(w for s in slices for w in s.workloads), sorted(workloads))
        self.assertEqual([g for g in GOALS if g[0] not in workloads], [])

    def test_a_headline_names_a_workload(self):
        named = {workload for workload, _, _ in page.HEADLINES + page.SYNCED}
        self.assertEqual(named - set(run.all_workloads()), set())


class Pages(unittest.TestCase):
    def test_the_sample_is_rendered_as_it_was_reviewed(self):
        folder = os.path.join(SAMPLE, "pages")
        readme = os.path.join(folder, "README.md")
        if os.environ.get("UPDATE_SAMPLES"):
            page.write(merged(), GOALS, folder, readme)
        self.assertEqual(page.write(merged(), GOALS, folder, readme, check=True), [])

    def test_charts_are_well_formed_and_a_broker_alone_has_none(self):
        alone = merged()
        alone["meta"]["brokers"] = alone["meta"]["brokers"][:1]
        for doc, count in ((merged(), 4), (alone, 0)):
            charts = [page.family_chart(doc, GOALS, family, rows) for family, rows in page.families(doc)] + [page.overview(doc)]
            drawn = [xml.dom.minidom.parseString(svg) for svg in charts if svg]
            self.assertEqual(len(drawn), count)

    def test_only_what_is_between_the_marks_changes_in_the_readme(self):
        before = "above\n%s\nold\n%s\nbelow\n" % (page.BEGIN, page.END)
        self.assertEqual(page.between_marks(before, "new\n"), before.replace("old", "new"))
        with self.assertRaises(SystemExit):
            page.between_marks("no marks", "new\n")

    def test_the_projects_own_pages_say_what_its_result_says(self):
        self.assertEqual(page.between_marks(page.read(run.README), "").count(page.BEGIN), 1)
        self.assertEqual(run.render(argparse.Namespace(out=run.RESULT), check=True), [], "bench/run --render writes them")


if __name__ == "__main__":
    unittest.main()
