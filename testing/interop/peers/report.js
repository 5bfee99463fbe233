// What the two Node peers share: how a value is printed, read and waited for.
'use strict';
const crypto = require('crypto');
const fs = require('fs');

exports.emit = (event) => fs.writeSync(1, JSON.stringify(event) + '\n');

/** Short values as text, long ones as length and digest. */
exports.value = (data) => {
    const bytes = Buffer.from(data == null ? '' : data);
    if (bytes.length <= 1000) return { text: bytes.toString('latin1') };
    return { bytes: bytes.length, sha256: crypto.createHash('sha256').update(bytes).digest('hex') };
};

exports.workload = (argument) =>
    argument.startsWith('@') ? fs.readFileSync(argument.slice(1)) : Buffer.from(argument);

exports.awaitFile = (path, then) => {
    const look = () => (fs.existsSync(path) ? then() : setTimeout(look, 5));
    look();
};

exports.reversed = (bytes) => Buffer.from(bytes).reverse();

/** Resolves after the given milliseconds: the pause between two questions about a job's state. */
exports.pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
