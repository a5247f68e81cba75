/** The process that sweeps start for each of their workers. */

import { serve } from "./serve.ts";

await serve();
