"""OpenStack's gear as client and worker: what a peer is asked and says is in README.md of this folder.

Submitting waits for JOB_CREATED in this library, so submits are never in flight together; results are.
"""
import os
import queue
import sys

import gear

FUNCTION = "resize"
WORKLOAD = b'{"photo":"2026/11/20/00000001.jpg","width":1600,"format":"webp"}'


class Client(gear.Client):
    """Hands each finished job to whoever waits for one."""

    def __init__(self):
        super().__init__()
        self.ended = queue.SimpleQueue()

    def handleWorkComplete(self, packet):
        job = super().handleWorkComplete(packet)
        self.ended.put(job)
        return job

    def handleWorkFail(self, packet):
        job = super().handleWorkFail(packet)
        self.ended.put(job)
        return job


def await_go():
    print("ready", flush=True)
    sys.stdin.readline()


def submit(client, background, uniques, in_flight):
    """Returns how many jobs were accepted, or came back with the right result."""
    verified = 0
    waiting = 0
    for unique in uniques:
        job = gear.Job(FUNCTION, WORKLOAD, unique=unique)
        client.submitJob(job, background=background)
        if background:
            verified += bool(job.handle)
            continue
        waiting += 1
        if waiting == in_flight:
            verified += client.ended.get().data == [WORKLOAD]
            waiting -= 1
    for _ in range(waiting):
        verified += client.ended.get().data == [WORKLOAD]
    return verified


def run_client(background, port, jobs, warm_up, in_flight):
    client = Client()
    client.addServer("127.0.0.1", port)
    client.waitForServer(timeout=10)
    uniques = [b"9f1c2a7e-4b60-4d1c-a%016d" % number for number in range(warm_up + jobs)]
    submit(client, background, uniques[:warm_up], in_flight)
    await_go()
    verified = submit(client, background, uniques[warm_up:], in_flight)
    print("done", verified, flush=True)
    sys.stdin.read()


def run_worker(port, jobs, warm_up):
    worker = gear.Worker("bench")
    worker.addServer("127.0.0.1", port)
    worker.waitForServer(timeout=10)
    worker.registerFunction(FUNCTION)
    begun = 0
    while True:
        job = worker.getJob()
        begun += 1
        if begun == warm_up + 1:
            await_go()
        if begun == warm_up + 1 + jobs:
            print("done", jobs, flush=True)
        job.sendWorkComplete(job.arguments)


if __name__ == "__main__":
    role = sys.argv[1]
    port, jobs, warm_up, in_flight = (int(argument) for argument in sys.argv[2:])
    if role == "worker":
        run_worker(port, jobs, warm_up)
    else:
        run_client(role == "background", port, jobs, warm_up, in_flight)
    # The library's threads have nothing left to do.
    os._exit(0)
