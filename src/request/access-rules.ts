// The rules of one server about hosts, origins and CORS, made of its options. `access.ts` applies them to a request.

import { badValue } from "../base/bad-option.ts";
import { Cors, type CorsOptions } from "./cors.ts";
import { type AllowedHosts, type HostRule, toHostRule } from "./host.ts";
import { type AllowedOrigins, type OriginReporter, type OriginRule, toOriginRule } from "./origin.ts";

export interface AccessOptions {
  readonly allowedOrigins?: AllowedOrigins | undefined;
  readonly allowedHosts?: AllowedHosts | undefined;
  readonly cors?: boolean | CorsOptions | undefined;
}

/** The rules of one server. */
export interface Access {
  readonly origins: OriginRule;
  readonly hosts: HostRule | undefined;
  /** Undefined where no page of another origin may connect, or the application sends the fields of CORS itself. */
  readonly cors: Cors | undefined;
  /** False: the application sends the fields of CORS itself. */
  readonly handlesCors: boolean;
  /** True where every request has to be checked before the handler. */
  readonly isChecked: boolean;
}

/** `report` receives the exceptions of functions of the application. Throws BAD_OPTION for a value that is not allowed. */
export function toAccess(
  { allowedOrigins = [], allowedHosts, cors = true }: AccessOptions,
  report: OriginReporter,
): Access {
  if (cors === null || (typeof cors !== "boolean" && typeof cors !== "object")) {
    throw badValue("cors", cors, "true, false or an object");
  }
  const origins = toOriginRule(allowedOrigins, report);
  const hosts = toHostRule(allowedHosts);
  const rules = cors === false ? undefined : new Cors(cors === true ? {} : cors, allowedOrigins);
  const isForeign = typeof allowedOrigins === "function" || allowedOrigins === "any" || allowedOrigins.length > 0;
  return {
    origins,
    hosts,
    cors: isForeign ? rules : undefined,
    handlesCors: rules !== undefined,
    isChecked: hosts !== undefined || (isForeign && rules !== undefined),
  };
}
