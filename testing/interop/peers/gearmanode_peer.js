// gearmanode as client and worker, one role per process.
// What a role is asked and what it prints is written in ../README.md.
'use strict';
const { emit, value, workload, awaitFile, reversed, pause } = require('./report');
// The library logs to stdout, which belongs to the events here.
const winston = require('winston');
const silent = { transports: [new winston.transports.Console({ silent: true })] };
winston.configure(silent);
winston.loggers.options.transports = silent.transports;
const gearmanode = require('gearmanode');

function connect(port) {
    const client = gearmanode.client({ host: '127.0.0.1', port });
    client.on('error', (error) => emit({ event: 'error', text: String(error) }));
    client.on('jobServerError', (uid, code, text) => emit({ event: 'error', text: `${code} ${text}` }));
    return client;
}

/** A client whose connection has the `exceptions` option. */
async function connectWithExceptions(port) {
    const client = connect(port);
    const server = client.jobServers[0];
    await new Promise((resolve) => {
        server.once('option', resolve);
        server.setOption('exceptions');
    });
    return client;
}

const PRIORITIES = { high: 'HIGH', normal: 'NORMAL', low: 'LOW' };

function options(priority, unique, more) {
    return Object.assign({ priority: PRIORITIES[priority] }, unique ? { unique } : {}, more);
}

async function run(port, name, priority, unique, argument) {
    const client = await connectWithExceptions(port);
    const job = client.submitJob(name, workload(argument), options(priority, unique));
    job.on('created', () => emit({ event: 'created', handle: job.handle }));
    job.on('status', (status) => emit({ event: 'status',
        numerator: Number(status.percent_done_num), denominator: Number(status.percent_done_den) }));
    job.on('workData', (data) => emit({ event: 'data', ...value(data) }));
    job.on('warning', (data) => emit({ event: 'warning', ...value(data) }));
    return new Promise((resolve) => {
        const end = (event) => { emit(event); resolve(); };
        job.on('exception', (data) => end({ event: 'exception', ...value(data) }));
        job.on('failed', () => end({ event: 'fail' }));
        job.on('complete', () => end({ event: 'complete', ...value(job.response) }));
    });
}

async function background(port, name, ...jobs) {
    const client = connect(port);
    for (const entry of jobs) {
        const [priority, unique, ...rest] = entry.split(':');
        const job = client.submitJob(name, rest.join(':'), options(priority, unique, { background: true }));
        await new Promise((resolve) => job.once('created', resolve));
        emit({ event: 'created', handle: job.handle });
    }
}

async function poll(port, name, data) {
    const client = connect(port);
    const job = client.submitJob(name, data, { background: true });
    await new Promise((resolve) => job.once('created', resolve));
    emit({ event: 'created', handle: job.handle });
    let last = '';
    for (;;) {
        const status = await new Promise((resolve) => { job.once('status', resolve); job.getStatus(); });
        const state = { event: 'state', known: status.known, running: status.running,
            numerator: Number(status.percent_done_num), denominator: Number(status.percent_done_den) };
        if (JSON.stringify(state) !== last) emit(state);
        last = JSON.stringify(state);
        if (!status.known) return;
        await pause(5);
    }
}

function complete(client, name, data, more) {
    return new Promise((resolve) => {
        const job = client.submitJob(name, data, more || {});
        job.on('complete', () => resolve(job.response.toString()));
    });
}

async function set(port, name, count) {
    const client = connect(port);
    const results = await Promise.all(Array.from({ length: Number(count) },
        (_, number) => complete(client, name, `job ${number}`, { unique: `unique ${number}` })));
    emit({ event: 'set', results });
}

async function sequential(port, name, count) {
    const client = connect(port);
    const start = Date.now();
    const results = [];
    for (let number = 0; number < Number(count); number++) {
        results.push(await complete(client, name, `job ${number}`));
    }
    emit({ event: 'sequential', results, ms: Date.now() - start });
}

async function echo(port, text) {
    const server = connect(port).jobServers[0];
    const answer = await new Promise((resolve) => { server.once('echo', resolve); server.echo(text); });
    emit({ event: 'echo', text: answer.toString() });
}

const functions = {
    reverse: (job) => job.workComplete(reversed(job.payload)),
    mirror: (job) => job.workComplete(job.payload),
    empty: (job) => job.workComplete(''),
    progress: (job) => {
        for (const numerator of [1, 2, 4]) job.reportStatus(numerator, 4);
        job.workComplete('done');
    },
    chunks: (job) => {
        for (const chunk of ['one', 'two', 'three']) job.sendWorkData(chunk);
        job.workComplete('end');
    },
    warn: (job) => { job.reportWarning('careful'); job.workComplete('ok'); },
    throw: (job) => job.reportException('boom'),
    fail: (job) => job.reportError(),
    hold: (job, worker) => {
        job.reportStatus(1, 2);
        awaitFile(job.payload.toString(), () => job.workComplete(worker));
    },
};

function work(port, worker, ...names) {
    const it = gearmanode.worker({ host: '127.0.0.1', port });
    it.on('error', (error) => emit({ event: 'error', text: String(error) }));
    it.setWorkerId(worker);
    for (const name of names) {
        it.addFunction(name, (job) => {
            emit({ event: 'job', worker, function: name, ...value(job.payload) });
            functions[name](job, worker);
        });
    }
}

/** True when this library has no way to do what is named. */
function lacks(feature) {
    if (feature === 'admin') {
        const names = Object.keys(gearmanode.Client.prototype);
        return !names.some((name) => /version|workers|functions|admin/i.test(name));
    }
    if (feature === 'binary-result') {
        // What the library would send for a byte that is not UTF-8.
        let sent;
        const job = { handle: 'h', _sendAndClose: (type, parts) => { sent = parts[1]; } };
        gearmanode.Job.prototype.workComplete.call(job, Buffer.from([0xff]));
        return !Buffer.isBuffer(sent);
    }
    throw new Error(`no feature ${feature}`);
}

const client = { run, background, poll, set, sequential, echo };
const [role, port, ...rest] = process.argv.slice(2);
if (role === 'worker') {
    work(Number(port), ...rest);
} else if (role === 'lacks') {
    emit({ event: 'lacks', value: lacks(port) });
} else {
    client[rest[0]](Number(port), ...rest.slice(1)).then(() => process.exit(0), (error) => {
        emit({ event: 'error', text: String(error) });
        process.exit(1);
    });
}
