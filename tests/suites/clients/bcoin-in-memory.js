// Lets bcoin run in memory where its native database is not built: with --memory it is loaded and never used.
'use strict';

const Module = require('module');
const load = Module._load;

Module._load = function (name, ...rest) {
  return name === 'leveldown' ? class {} : load.call(this, name, ...rest);
};
