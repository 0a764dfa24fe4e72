import { Module } from "@nestjs/common";
import { AppController } from "./app.controller.js";
import { Channels } from "./channels.js";

@Module({ controllers: [AppController], providers: [Channels] })
export class AppModule {}
