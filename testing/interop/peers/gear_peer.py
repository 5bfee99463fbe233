"""OpenStack's gear as client and worker, one role per process.

What a role is asked and what it prints is written in ../README.md.
"""
import os
import sys
import threading
import time

import gear

from report import await_file, emit, value, workload


class Client(gear.Client):
    """Reports every packet that concerns a job, and says when a job has ended."""

    quiet = False

    def __init__(self):
        super().__init__()
        self.ended = threading.Condition()
        self.jobs_ended = []
        self.states = {}

    def say(self, **event):
        if not self.quiet:
            emit(**event)

    def end(self, job):
        with self.ended:
            self.jobs_ended.append(job)
            self.ended.notify_all()

    def await_ends(self, count):
        with self.ended:
            self.ended.wait_for(lambda: len(self.jobs_ended) >= count)

    def handleJobCreated(self, packet):
        # Told first: the library lets the submitter go on as soon as it knows the handle.
        self.say(event="created", handle=packet.data.decode())
        return super().handleJobCreated(packet)

    def handleWorkStatus(self, packet):
        job = super().handleWorkStatus(packet)
        self.say(event="status", numerator=int(job.numerator), denominator=int(job.denominator))
        return job

    def handleWorkData(self, packet):
        job = super().handleWorkData(packet)
        self.say(event="data", **value(job.data[-1]))
        return job

    def handleWorkWarning(self, packet):
        job = super().handleWorkWarning(packet)
        self.say(event="warning", **value(job.data[-1]))
        return job

    def handleWorkException(self, packet):
        job = super().handleWorkException(packet)
        self.say(event="exception", **value(job.exception))
        self.end(job)
        return job

    def handleWorkFail(self, packet):
        job = super().handleWorkFail(packet)
        self.say(event="fail")
        self.end(job)
        return job

    def handleWorkComplete(self, packet):
        before = len(packet.getJob().data)
        job = super().handleWorkComplete(packet)
        self.say(event="complete", **value(b"".join(job.data[before:])))
        self.end(job)
        return job

    def handleStatusRes(self, packet):
        job = super().handleStatusRes(packet)
        with self.ended:
            self.states[job.handle] = (job.known, job.running, int(job.numerator), int(job.denominator))
            self.ended.notify_all()
        return job

    def handleEchoRes(self, packet):
        emit(event="echo", **value(packet.data))
        self.end(None)

    def state(self, job):
        """Asks the server for the job's state and waits for the answer."""
        self.states.pop(job.handle, None)
        packet = gear.Packet(gear.constants.REQ, gear.constants.GET_STATUS, job.handle)
        self.sendPacket(packet, job.connection)
        with self.ended:
            self.ended.wait_for(lambda: job.handle in self.states)
            return self.states[job.handle]


PRIORITIES = {
    "high": gear.PRECEDENCE_HIGH,
    "normal": gear.PRECEDENCE_NORMAL,
    "low": gear.PRECEDENCE_LOW,
}


def connect(port):
    client = Client()
    client.addServer("127.0.0.1", port)
    client.waitForServer(timeout=10)
    client.setOption("exceptions", timeout=10)
    return client


def run(port, function, priority, unique, argument):
    client = connect(port)
    job = gear.Job(function, workload(argument), unique=unique.encode() or None)
    client.submitJob(job, precedence=PRIORITIES[priority])
    client.await_ends(1)


def background(port, function, *jobs):
    client = connect(port)
    for entry in jobs:
        priority, unique, data = entry.split(":", 2)
        job = gear.Job(function, data.encode(), unique=unique.encode() or None)
        client.submitJob(job, background=True, precedence=PRIORITIES[priority])


def poll(port, function, data):
    client = connect(port)
    job = gear.Job(function, data.encode())
    client.submitJob(job, background=True)
    last = None
    known = True
    while known:
        state = client.state(job)
        if state != last:
            emit(event="state", known=state[0], running=state[1], numerator=state[2], denominator=state[3])
        last = state
        known = state[0]
        time.sleep(0.005)


def many(port, function, count):
    client = connect(port)
    client.quiet = True
    for number in range(int(count)):
        client.submitJob(gear.Job(function, b"job %d" % number, unique=b"unique %d" % number))
    client.await_ends(int(count))
    emit(event="set", results=[b"".join(job.data).decode() for job in client.jobs_ended])


def sequential(port, function, count):
    client = connect(port)
    client.quiet = True
    start = time.monotonic()
    for number in range(int(count)):
        client.submitJob(gear.Job(function, b"job %d" % number))
        client.await_ends(number + 1)
    ms = int((time.monotonic() - start) * 1000)
    results = [b"".join(job.data).decode() for job in client.jobs_ended]
    emit(event="sequential", results=results, ms=ms)


def echo(port, text):
    client = connect(port)
    client.getConnection().sendEchoReq(text.encode())
    client.await_ends(1)


def admin(port):
    connection = connect(port).getConnection()
    version, status, workers = (
        gear.VersionAdminRequest(), gear.StatusAdminRequest(), gear.WorkersAdminRequest())
    for request in (version, status, workers):
        connection.sendAdminRequest(request, timeout=10)
    rows = [line.split("\t") for line in status.response.decode().splitlines() if line != "."]
    listed = [line.split(" :", 1)[1].split() for line in workers.response.decode().splitlines() if line != "."]
    emit(event="admin", version=version.response.decode().strip(),
         status={row[0]: [int(number) for number in row[1:]] for row in rows},
         workers=sorted(set(sum(listed, []))))


def run_job(job, name):
    emit(event="job", worker=name, function=job.name, **value(job.arguments))
    if job.name == "reverse":
        job.sendWorkComplete(bytes(job.arguments[::-1]))
    elif job.name == "mirror":
        job.sendWorkComplete(bytes(job.arguments))
    elif job.name == "empty":
        job.sendWorkComplete()
    elif job.name == "progress":
        for numerator in (1, 2, 4):
            job.sendWorkStatus(numerator, 4)
        job.sendWorkComplete(b"done")
    elif job.name == "chunks":
        for chunk in (b"one", b"two", b"three"):
            job.sendWorkData(chunk)
        job.sendWorkComplete(b"end")
    elif job.name == "warn":
        job.sendWorkWarning(b"careful")
        job.sendWorkComplete(b"ok")
    elif job.name == "throw":
        job.sendWorkException(b"boom")
    elif job.name == "fail":
        job.sendWorkFail()
    elif job.name == "hold":
        job.sendWorkStatus(1, 2)
        await_file(bytes(job.arguments).decode())
        job.sendWorkComplete(name.encode())


def work(port, name, *functions):
    worker = gear.Worker(name)
    worker.addServer("127.0.0.1", port)
    worker.waitForServer(timeout=10)
    for function in functions:
        worker.registerFunction(function)
    while True:
        run_job(worker.getJob(), name)


CLIENT = {"run": run, "background": background, "poll": poll, "set": many,
          "sequential": sequential, "echo": echo, "admin": admin}

if __name__ == "__main__":
    role, port, *rest = sys.argv[1:]
    if role == "worker":
        work(int(port), *rest)
    else:
        CLIENT[rest[0]](int(port), *rest[1:])
    # The library's threads have nothing left to do.
    os._exit(0)
