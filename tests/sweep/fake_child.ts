/** A sweep's process that runs fake cells. */

import { serve } from "fewstep/sweep/serve.ts";
import { openFake } from "./fake.ts";

await serve(openFake);
