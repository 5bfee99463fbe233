"""A worker as in gear's manual, which knows nothing of signals: plain.py FUNCTION"""
import os
import sys

import gear

from worker import do_job

worker = gear.Worker(f"plain-{os.getpid()}")
for server in os.environ["GEARMAN_SERVERS"].split(","):
    host, port = server.split(":")
    worker.addServer(host, int(port))
worker.waitForServer(timeout=10)
worker.registerFunction(sys.argv[1])
while True:
    job = worker.getJob()
    job.sendWorkComplete(do_job(job.arguments))
