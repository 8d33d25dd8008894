using LookaheadKV.Cli;
using LookaheadKV.Runtime;

return await EntryPoint.RunAsync(args, Console.Out, Console.Error, threadClock: ThreadTimes.OfProcess);
