'use strict';
// The built engine, for tests that come in the middle of an answer, however fast it is. An answer with the seed `endless` begins again
// until it is cancelled. While the file is there that HALT names, the process stops with the third token of any other answer.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const endless = 77_001;
const addon = require(join(__dirname, '../../../build/native/loupe.node'));

class Engine {
  static async open(options) {
    return wrapped(await addon.Engine.open(options));
  }
}

function wrapped(engine) {
  let cancelled = false;
  const own = {
    cancel() {
      cancelled = true;
      engine.cancel();
    },
    generate(options) {
      cancelled = false;
      if (options.sampling.seed === endless) return untilCancelled(options);
      return engine.generate(existsSync(process.env.HALT ?? '') ? { ...options, onToken: halting(options.onToken) } : options);
    },
  };
  async function untilCancelled(options) {
    for (;;) {
      const result = await engine.generate({ ...options, stopTokens: [], maxTokens: 64 });
      if (cancelled || result.finish === 'cancelled') return { ...result, finish: 'cancelled' };
    }
  }
  return new Proxy(engine, {
    get(target, name) {
      if (name in own) return own[name];
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function halting(onToken) {
  let tokens = 0;
  return (token) => {
    onToken(token);
    if (++tokens === 3) process.kill(process.pid, 'SIGSTOP');
  };
}

module.exports = { ...addon, Engine, endless };
