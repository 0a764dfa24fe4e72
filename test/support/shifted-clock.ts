// Loaded before anything else (`--import`): the clocks of this process are wrong by the milliseconds in UNICHANNEL_CLOCK_SHIFT.

const shiftMs = Number(process.env["UNICHANNEL_CLOCK_SHIFT"]);
const dateNow = Date.now;
const { timeOrigin } = performance;

Date.now = () => dateNow() + shiftMs;
globalThis.Date = new Proxy(Date, {
  construct: (target, args: number[]) => new target(args.length === 0 ? Date.now() : args[0]!),
});
Object.defineProperty(performance, "timeOrigin", { value: timeOrigin + shiftMs });
