import type { Api } from '../api.ts';
import { brave } from './brave.ts';
import { github } from './github.ts';
import { gitlab } from './gitlab.ts';
import { maps } from './maps.ts';
import { notion } from './notion.ts';
import { slack } from './slack.ts';

export const apis: readonly Api[] = [github, notion, slack, brave, maps, gitlab];
