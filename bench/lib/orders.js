// @ts-check
// The messages of the row app-json: orders of 300 bytes as JSON, the schema by which all servers check them, and their answer.
import { z } from "zod";

export const order = z.object({
  id: z.string().regex(/^o-\d+$/),
  customer: z.object({ name: z.string().min(1).max(100), email: z.email() }),
  items: z
    .array(
      z.object({
        sku: z.string().regex(/^SKU-\d{4}$/),
        quantity: z.int().min(1).max(99),
        price: z.int().nonnegative(),
      }),
    )
    .min(1)
    .max(20),
  note: z.string().max(500).optional(),
  at: z.iso.datetime(),
});

/** The schema of the answer, for servers that check what they send. */
export const receipt = z.object({ id: z.string(), units: z.int(), total: z.int() });

/** The work of the application. @param {z.infer<typeof order>} order */
export function receiptOf({ id, items }) {
  let units = 0;
  let total = 0;
  for (const { quantity, price } of items) {
    units += quantity;
    total += quantity * price;
  }
  return { id, units, total };
}

/** Different orders of 300 bytes each. @param {number} count */
export function someOrders(count) {
  return Array.from({ length: count }, (_, i) => {
    const value = {
      id: `o-${1000 + i}`,
      customer: { name: "Ann Example", email: "ann.example@mail.example" },
      items: [3, 5, 7].map((step) => ({ sku: `SKU-${1000 + i * step}`, quantity: 1 + (i % 9), price: 100 * step + i })),
      note: "",
      at: "2026-11-28T09:00:00.000Z",
    };
    value.note = "Please ring twice. ".repeat(9).slice(0, 300 - JSON.stringify(value).length);
    return value;
  });
}
