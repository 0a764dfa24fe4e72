// @ts-check
// Orders on unichannel: messages that both ends check by the schemas of one codec.
import { jsonMessages, openChannel } from "../../dist/src/index.js";
import { listening } from "../lib/listening.js";
import { order, receipt, receiptOf } from "../lib/orders.js";
import { ready } from "../lib/ready.js";

const orders = jsonMessages({ toServer: order, toClient: receipt });
const server = await listening((request) =>
  openChannel(
    request,
    {
      message: (order, channel) => channel.send(receiptOf(order)),
      error: (_, channel) => channel.close(1008, "bad message"),
    },
    { codec: orders.server },
  ),
);
ready(server.port);
