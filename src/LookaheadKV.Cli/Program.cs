using LookaheadKV.Cli;

return await EntryPoint.RunAsync(args, Console.Out, Console.Error);
