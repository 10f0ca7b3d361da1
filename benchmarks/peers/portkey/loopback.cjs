// Portkey's gateway listens on every address, without a key, and has no option for another: here only on 127.0.0.1.
const { Server } = require("node:net");
const { listen } = Server.prototype;

Server.prototype.listen = function (port, ...others) {
  const options = typeof port === "object" ? port : { port: Number(port) };
  return listen.call(this, { ...options, host: "127.0.0.1" }, ...others.filter((other) => typeof other === "function"));
};
