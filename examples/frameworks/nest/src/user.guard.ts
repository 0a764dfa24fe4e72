// A guard of Nest: it is asked for WebSockets as for every other request.

import { type CanActivate, type ExecutionContext, Injectable, UnauthorizedException } from "@nestjs/common";

@Injectable()
export class UserGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { user } = context.switchToHttp().getRequest<{ query: { user?: string } }>().query;
    if (!user) throw new UnauthorizedException();
    return user !== "mallory";
  }
}
