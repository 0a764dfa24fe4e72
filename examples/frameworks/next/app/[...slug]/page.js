// @ts-check
// A page that matches every path, also that of the channels.
import { notFound } from "next/navigation";

export default function CatchAll() {
  notFound();
}
