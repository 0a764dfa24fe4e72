// Channels as a provider: they live as long as the application.

import { type BeforeApplicationShutdown, Injectable, type OnModuleInit } from "@nestjs/common";
// biome-ignore lint/style/useImportType: Nest reads the class from the metadata of the constructor.
import { HttpAdapterHost } from "@nestjs/core";
import { type Attached, attach } from "unichannel/node";

@Injectable()
export class Channels implements OnModuleInit, BeforeApplicationShutdown {
  attached!: Attached;

  constructor(private readonly host: HttpAdapterHost) {}

  onModuleInit(): void {
    this.attached = attach(this.host.httpAdapter.getHttpServer(), { upgrades: "/live" });
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.attached.stop();
  }
}
