// A worker with gearmanode that leaves at SIGTERM when its job is done: node worker.js FUNCTION
'use strict';
const fs = require('fs');
const gearmanode = require('gearmanode');

const release = fs.readFileSync(process.env.RELEASE_FILE, 'utf8').trim();
if (release === 'broken') throw new Error('this release does not even start');

function note(what, number) {
    fs.appendFileSync(process.env.JOB_LOG, `${what} ${number} ${process.pid} node ${release}\n`);
}

const servers = process.env.GEARMAN_SERVERS.split(',').map((server) => {
    const [host, port] = server.split(':');
    return { host, port: Number(port) };
});
const worker = gearmanode.worker({ servers });
worker.on('error', (error) => {
    console.error(String(error));
    process.exit(1);
});

let jobs = 0;
let leaving = false;
process.on('SIGTERM', () => {
    leaving = true;
    if (jobs === 0) process.exit(0);
});

// A workload is the number of the job and how many milliseconds it takes.
worker.addFunction(process.argv[2], (job) => {
    jobs += 1;
    const [number, millis] = job.payload.split(' ');
    note('begin', number);
    setTimeout(() => {
        note('end', number);
        job.workComplete(number);
        jobs -= 1;
        if (leaving && jobs === 0) process.exit(0);
    }, Number(millis));
}, { toStringEncoding: 'utf8' });
