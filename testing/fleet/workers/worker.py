"""A worker with OpenStack's gear that leaves at SIGTERM when its job is done: worker.py FUNCTION"""
import os
import signal
import sys
import time

import gear

with open(os.environ["RELEASE_FILE"]) as file:
    RELEASE = file.read().strip()


class Leave(Exception):
    """SIGTERM came while the worker had no job."""


class Service:
    def __init__(self, function):
        self.leaving = False
        self.waiting = False
        self.worker = gear.Worker(f"python-{os.getpid()}")
        for server in os.environ["GEARMAN_SERVERS"].split(","):
            host, port = server.split(":")
            self.worker.addServer(host, int(port))
        self.worker.waitForServer(timeout=10)
        self.worker.registerFunction(function)

    def leave(self, *_):
        self.leaving = True
        if self.waiting:
            raise Leave

    def work(self):
        signal.signal(signal.SIGTERM, self.leave)
        try:
            while True:
                self.waiting = True
                if self.leaving:
                    return
                job = self.worker.getJob()
                self.waiting = False
                job.sendWorkComplete(do_job(job.arguments))
        except Leave:
            pass


def note(what, number):
    line = f"{what} {number} {os.getpid()} python {RELEASE}\n".encode()
    log = os.open(os.environ["JOB_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(log, line)
    os.close(log)


def do_job(workload):
    """A workload is the number of the job and how many milliseconds it takes."""
    number, millis = bytes(workload).decode().split()
    note("begin", number)
    time.sleep(int(millis) / 1000)
    note("end", number)
    return number.encode()


if __name__ == "__main__":
    if RELEASE == "broken":
        sys.exit("this release does not even start")
    Service(sys.argv[1]).work()
