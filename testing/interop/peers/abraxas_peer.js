// abraxas as client and worker, one role per process.
// What a role is asked and what it prints is written in ../README.md.
'use strict';
const { emit, value, workload, awaitFile, reversed, pause } = require('./report');
const Gearman = require('abraxas');

function connect(port) {
    const client = Gearman.Client.connect({ host: '127.0.0.1', port });
    client.on('connection-error', (error) => emit({ event: 'error', text: String(error) }));
    return client;
}

/** A worker lives on after the server refused a report of its. */
function connectWorker(port) {
    const client = Gearman.Client.connect({ host: '127.0.0.1', port });
    client.on('connection-error', (error) => console.error(String(error)));
    return client;
}

function options(priority, unique) {
    return { priority, uniqueid: unique || undefined };
}

/** Everything that the library reads of one task, when it has ended. */
function result(task) {
    return new Promise((resolve, reject) => {
        const parts = [];
        task.on('data', (part) => parts.push(Buffer.from(part)));
        task.on('end', () => resolve(Buffer.concat(parts)));
        task.on('error', reject);
    });
}

async function run(port, name, priority, unique, argument) {
    const task = connect(port).submitJob(name, options(priority, unique), workload(argument));
    task.on('created', () => emit({ event: 'created', handle: task.jobid }));
    task.on('status', (fraction) => emit({ event: 'status', numerator: fraction * 100, denominator: 100 }));
    task.on('warn', (text) => emit({ event: 'warning', ...value(text) }));
    try {
        emit({ event: 'complete', ...value(await result(task)) });
    } catch (error) {
        // Both ends of a job are one kind of error, told apart by its message.
        if (error.jobid === undefined) throw error;
        if (error.message === `Job ${error.jobid} failed`) emit({ event: 'fail' });
        else emit({ event: 'exception', ...value(error.message) });
    }
}

function submitted(client, name, options, data) {
    return new Promise((resolve, reject) => {
        client.submitJobBg(name, options, data, (error, handle) => (error ? reject(error) : resolve(String(handle))));
    });
}

async function background(port, name, ...jobs) {
    const client = connect(port);
    for (const entry of jobs) {
        const [priority, unique, ...rest] = entry.split(':');
        emit({ event: 'created', handle: await submitted(client, name, options(priority, unique), rest.join(':')) });
    }
}

async function poll(port, name, data) {
    const client = connect(port);
    const handle = await submitted(client, name, {}, data);
    emit({ event: 'created', handle });
    let last = '';
    for (;;) {
        const status = await new Promise((resolve, reject) => {
            client.getStatus(handle, (error, answer) => (error ? reject(error) : resolve(answer)));
        });
        const state = { event: 'state', known: status.known > 0, running: status.running > 0,
            numerator: status.complete * 100, denominator: 100 };
        if (JSON.stringify(state) !== last) emit(state);
        last = JSON.stringify(state);
        if (!state.known) return;
        await pause(5);
    }
}

async function set(port, name, count) {
    const client = connect(port);
    const results = await Promise.all(Array.from({ length: Number(count) }, (_, number) =>
        result(client.submitJob(name, { uniqueid: `unique ${number}` }, `job ${number}`))));
    emit({ event: 'set', results: results.map(String) });
}

async function sequential(port, name, count) {
    const client = connect(port);
    const start = Date.now();
    const results = [];
    for (let number = 0; number < Number(count); number++) {
        results.push(String(await result(client.submitJob(name, {}, `job ${number}`))));
    }
    emit({ event: 'sequential', results, ms: Date.now() - start });
}

async function echo(port, text) {
    emit({ event: 'echo', ...value(await result(connect(port).echo({}, Buffer.from(text)))) });
}

/** One of the library's tables; it answers for the servers that are connected, so connect first. */
function table(client, name) {
    return new Promise((resolve, reject) => {
        client[name]((error, rows) => (error ? reject(error) : resolve(rows)));
    });
}

async function admin(port) {
    const client = connect(port);
    await new Promise((resolve) => client.once('connect', resolve));
    const status = {};
    for (const [name, row] of Object.entries(await table(client, 'status'))) {
        status[name] = [row.inqueue, row.running, row.workers];
    }
    const rows = [].concat(await table(client, 'workers'));
    emit({ event: 'admin', status, workers: [...new Set(rows.flatMap((row) => row.functions))].sort() });
}

const functions = {
    reverse: (task) => reversed(task.payload),
    mirror: (task) => task.payload,
    empty: (task) => { task.end(); },
    progress: (task) => {
        for (const numerator of [1, 2, 4]) task.status(numerator / 4);
        return 'done';
    },
    warn: (task) => { task.warn('careful'); return 'ok'; },
    throw: (task) => { task.error('boom'); },
    hold: (task, worker) => {
        task.status(1 / 2);
        return new Promise((resolve) => awaitFile(task.payload.toString(), () => resolve(worker)));
    },
};

function work(port, worker, ...names) {
    const client = connectWorker(port);
    client.setClientId(worker);
    for (const name of names) {
        client.registerWorker(name, (task) => {
            task.payload = task.payload.length ? Buffer.from(task.payload) : Buffer.alloc(0);
            emit({ event: 'job', worker, function: name, ...value(task.payload) });
            return functions[name](task, worker);
        });
    }
}

/** True when this library has no way to do what is named. */
function lacks(feature) {
    const task = require('abraxas/task-worker').prototype;
    if (feature === 'fail') return !('fail' in task);
    if (feature === 'chunks') return !('data' in task || 'sendData' in task);
    throw new Error(`no feature ${feature}`);
}

const client = { run, background, poll, set, sequential, echo, admin };
const [role, port, ...rest] = process.argv.slice(2);
if (role === 'worker') {
    work(Number(port), ...rest);
} else if (role === 'lacks') {
    emit({ event: 'lacks', value: lacks(port) });
} else {
    // The library lets the process end while it waits for a connection or a status; this does not.
    setInterval(() => {}, 1000);
    client[rest[0]](Number(port), ...rest.slice(1)).then(() => process.exit(0), (error) => {
        emit({ event: 'error', text: String(error) });
        process.exit(1);
    });
}
