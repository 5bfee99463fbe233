"""python3-gearman as client and worker, one role per process.

What a role is asked and what it prints is written in ../README.md.
"""
import sys
import time

import python3_gearman
from python3_gearman.connection_manager import NoopEncoder
from python3_gearman.constants import JOB_COMPLETE, PRIORITY_HIGH, PRIORITY_LOW, PRIORITY_NONE
from python3_gearman.protocol import GEARMAN_COMMAND_ECHO_REQ

from report import await_file, emit, value, workload

PRIORITIES = {"high": PRIORITY_HIGH, "normal": PRIORITY_NONE, "low": PRIORITY_LOW}


def connect(port):
    return python3_gearman.GearmanClient(["127.0.0.1:%d" % port])


def report_end(request):
    """Everything that the library kept of one job, in the order in which it must have come."""
    if request.status:
        emit(event="status", numerator=request.status["numerator"], denominator=request.status["denominator"])
    for warning in request.warning_updates:
        emit(event="warning", **value(warning))
    for data in request.data_updates:
        emit(event="data", **value(data))
    if request.exception is not None:
        emit(event="exception", **value(request.exception))
    if request.state == JOB_COMPLETE:
        emit(event="complete", **value(request.result))
    else:
        emit(event="fail")


def run(port, function, priority, unique, argument):
    client = connect(port)
    request = client.submit_job(function, workload(argument).decode(), unique=unique or None,
                                priority=PRIORITIES[priority], wait_until_complete=False)
    emit(event="created", handle=request.job.handle)
    client.wait_until_jobs_completed([request])
    report_end(request)


def background(port, function, *jobs):
    client = connect(port)
    for entry in jobs:
        priority, unique, data = entry.split(":", 2)
        request = client.submit_job(function, data, unique=unique or None, background=True,
                                    priority=PRIORITIES[priority], wait_until_complete=False)
        emit(event="created", handle=request.job.handle)


def poll(port, function, data):
    client = connect(port)
    request = client.submit_job(function, data, background=True, wait_until_complete=False)
    emit(event="created", handle=request.job.handle)
    last = None
    known = True
    while known:
        status = client.get_job_status(request).status
        state = {key: status[key] for key in ("known", "running", "numerator", "denominator")}
        if state != last:
            emit(event="state", **state)
        last = state
        known = state["known"]
        time.sleep(0.005)


def many(port, function, count):
    client = connect(port)
    jobs = [{"task": function, "data": "job %d" % number, "unique": "unique %d" % number}
            for number in range(int(count))]
    requests = client.submit_multiple_jobs(jobs)
    emit(event="set", results=[request.result for request in requests])


def sequential(port, function, count):
    client = connect(port)
    start = time.monotonic()
    results = [client.submit_job(function, "job %d" % number).result for number in range(int(count))]
    emit(event="sequential", results=results, ms=int((time.monotonic() - start) * 1000))


def administrator(port):
    return python3_gearman.GearmanAdminClient(["127.0.0.1:%d" % port])


def echo(port, text):
    client = administrator(port)
    client.establish_admin_connection()
    client.current_handler.send_echo_request(text)
    emit(event="echo", **value(client.wait_until_server_responds(GEARMAN_COMMAND_ECHO_REQ)))


def admin(port):
    client = administrator(port)
    status = {row["task"]: [row["queued"], row["running"], row["workers"]] for row in client.get_status()}
    workers = sorted({task for row in client.get_workers() for task in row["tasks"]})
    emit(event="admin", version=client.get_version(), status=status, workers=workers)


def progress(worker, job, name):
    for numerator in (1, 2, 4):
        worker.send_job_status(job, numerator, 4)
    return "done"


def chunks(worker, job, name):
    for chunk in ("one", "two", "three"):
        worker.send_job_data(job, chunk)
    return "end"


def warn(worker, job, name):
    worker.send_job_warning(job, "careful")
    return "ok"


def fail(worker, job, name):
    raise RuntimeError("the library turns this into WORK_FAIL")


def hold(worker, job, name):
    worker.send_job_status(job, 1, 2)
    await_file(job.data)
    return name


FUNCTIONS = {
    "reverse": lambda worker, job, name: job.data[::-1],
    "mirror": lambda worker, job, name: job.data,
    "empty": lambda worker, job, name: "",
    "progress": progress,
    "chunks": chunks,
    "warn": warn,
    "throw": fail,
    "fail": fail,
    "hold": hold,
}


class Worker(python3_gearman.GearmanWorker):
    """The library's worker, with the exceptions of jobs passed on as its manual shows."""

    def on_job_exception(self, current_job, exc_info):
        if current_job.task != "throw":
            return super().on_job_exception(current_job, exc_info)
        self.send_job_exception(current_job, "boom")
        return False


def work(port, name, *functions):
    worker = Worker(["127.0.0.1:%d" % port])
    worker.set_client_id(name)

    def callback(run_job):
        def call(worker, job):
            emit(event="job", worker=name, function=job.task, **value(job.data))
            return run_job(worker, job, name)
        return call

    for function in functions:
        worker.register_task(function, callback(FUNCTIONS[function]))
    worker.work()


def lacks(feature):
    """True when this library has no way to do what is named."""
    if feature == "binary":
        try:
            NoopEncoder.encode(b"\xff")
        except TypeError:
            emit(event="lacks", value=True)
            return
    if feature == "exceptions":
        options = [name for name in dir(python3_gearman.GearmanClient) if "option" in name]
        emit(event="lacks", value=not options)
        return
    emit(event="lacks", value=False)


CLIENT = {"run": run, "background": background, "poll": poll, "set": many,
          "sequential": sequential, "echo": echo, "admin": admin}

if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    if role == "worker":
        work(int(rest[0]), *rest[1:])
    elif role == "lacks":
        lacks(rest[0])
    else:
        CLIENT[rest[1]](int(rest[0]), *rest[2:])
