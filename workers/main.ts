#!/usr/bin/env node
import { saveMemory } from './memory.ts';

await saveMemory();
// Only now: what is loaded before would be loaded twice.
await import('./commandLine.ts');
