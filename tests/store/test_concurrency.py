from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time

from rlhf_lab.store import PreferenceStore
from tests.store.helpers import fill, prompt, ranking, start, undo

WRITER = """
    import sys
    from rlhf_lab.store import PreferenceStore
    from tests.store.helpers import prompt, ranking
    path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with PreferenceStore(path) as store:
        for n in range(count):
            store.submit(ranking(f"{name}-{n}", prompt("one"), annotator=name))
            sys.stdout.write(f"{name}-{n}\\n")
            sys.stdout.flush()
"""


def test_threads_share_one_store(store):
    [one] = fill(store, "one")
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for n in range(20):
                store.submit(ranking(f"{name}-{n}", one, annotator=name))
                store.judgments(annotator=name)
                store.add_prompts([prompt(f"shared {n}")])
        except BaseException as error:  # noqa: BLE001  (reported by the assertion below)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len({j.id for j in store.judgments(include_superseded=True)}) == 80
    assert [j.id for j in store.judgments(annotator="t0")] == ["t0-19"]  # one opinion on one item
    assert len(store.prompts()) == 21


def test_two_processes_write_at_once_and_a_third_reads(store, database):
    fill(store, "one")
    writers = [start(WRITER, str(database), name, "40") for name in ("ann", "bob")]
    while any(w.poll() is None for w in writers):
        store.judgments()
        time.sleep(0.02)
    for w in writers:
        w.communicate(timeout=10)
        assert w.returncode == 0
    for name in ("ann", "bob"):
        said = store.judgments(annotator=name, include_superseded=True)
        assert [j.id for j in said] == [f"{name}-{n}" for n in range(40)]


def test_processes_that_create_the_same_lab_at_once_all_succeed(database):
    code = """
        import sys
        from rlhf_lab.store import PreferenceStore
        sys.stdin.read(1)
        PreferenceStore(sys.argv[1]).close()
    """
    processes = [start(code, str(database)) for _ in range(3)]
    for process in processes:
        process.stdin.write("x")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=30)
        assert process.returncode == 0
    with PreferenceStore(database) as store:
        assert store.counts().prompts == 0


def test_two_threads_cannot_both_correct_the_same_judgment(store):
    [one] = fill(store, "one")
    store.submit(ranking("r0", one))
    accepted: list[str] = []

    def work(name: str) -> None:
        try:
            store.submit(ranking(name, one, supersedes="r0"))
        except ValueError:
            return
        accepted.append(name)

    threads = [threading.Thread(target=work, args=(f"c{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [j.id for j in store.judgments()] == accepted
    assert len(accepted) == 1


def test_a_killed_writer_loses_nothing_it_acknowledged(database):
    with PreferenceStore(database) as store:
        fill(store, "one")
    acknowledged: list[str] = []
    for kill in range(3):
        writer = start(WRITER, str(database), f"k{kill}", "100000")
        acknowledged += [writer.stdout.readline().strip() for _ in range(10 + 7 * kill)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += writer.stdout.read().split("\n")[:-1]  # whole lines that were under way
        writer.communicate()
        with PreferenceStore(database) as store:
            stored = [j.id for j in store.judgments(include_superseded=True)]
        assert len(stored) == len(set(stored))
        assert set(acknowledged) <= set(stored)
    if "://" not in str(database):
        check = sqlite3.connect(database)
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        check.close()


def test_a_forked_child_gets_connections_of_its_own(store):
    [one] = fill(store, "one")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if store.submit(ranking("child", one)) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.submit(undo("u1", ranking("child", one)))
    assert store.judgments() == []
