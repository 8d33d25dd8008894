using System.Diagnostics;
using System.Runtime.InteropServices;
using LookaheadKV.Runtime;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Runtime;

/// <summary>Loading happens once a process, so each case is a process: this test program, asked for its usage only.</summary>
public sealed class NativeLibrariesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lookaheadkv-tests-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static async Task<(int Exit, string Text)> Start(params (string Name, string Value)[] variables)
    {
        var dotnet = Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet");
        var start = new ProcessStartInfo(dotnet, [typeof(NativeLibrariesTests).Assembly.Location, "-?"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove(NativeLibraries.FolderVariable);
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await error);
    }

    [Fact]
    public void LoadingAgainDoesNothing()
    {
        NativeLibraries.Load();
        Parallel.For(0, 8, _ => NativeLibraries.Load());
        using var sum = torch.ones(3).sum();
        Assert.Equal(3f, sum.item<float>());
    }

    [Fact]
    public void OneLibTorchIsInTheProcess()
    {
        using var process = Process.GetCurrentProcess();
        var copies = process.Modules.Cast<ProcessModule>().Where(module => module.ModuleName == NativeFolders.FileName("torch_cpu"));
        Assert.Single(copies.Select(module => module.FileName).Distinct());
    }

    [Fact]
    public async Task AVariableWithoutLibTorchIsNamed()
    {
        var (exit, text) = await Start((NativeLibraries.FolderVariable, folder));
        Assert.NotEqual(0, exit);
        Assert.Contains(
            $"InputException: LOOKAHEADKV_LIBTORCH is '{folder}', which holds no {NativeFolders.FileName("torch_cpu")}; set it to",
            text,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task ASecondLibTorchIsRefusedBeforeItAborts()
    {
        var file = NativeFolders.FileName("torch_cpu");
        Assert.SkipUnless(
            NativeFolders.SearchedByTorchSharp().Any(own => File.Exists(Path.Combine(own, file))),
            "this build carries no libtorch"
        );
        await File.WriteAllTextAsync(Path.Combine(folder, file), "another libtorch", TestContext.Current.CancellationToken);
        var (exit, text) = await Start((NativeLibraries.FolderVariable, folder));
        Assert.NotEqual(0, exit);
        Assert.Contains("the program carries its own libtorch in ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ProcessesThatStartTogetherShareACache()
    {
        var runs = await Task.WhenAll(Start(("XDG_CACHE_HOME", folder)), Start(("XDG_CACHE_HOME", folder)));
        Assert.All(runs, run => Assert.Contains("usage", run.Text, StringComparison.OrdinalIgnoreCase));
        // None where the system's C++ runtime is new enough.
        Assert.InRange(Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Length, 0, 1);
    }

    [Fact]
    public async Task WithoutACacheItLoadsFromATemporaryFolderAndLeavesNothing()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux needs a cache");
        var file = Path.Combine(folder, "a file, not a folder");
        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
        var temporary = Directory.CreateDirectory(Path.Combine(folder, "tmp")).FullName;
        var (_, text) = await Start(("XDG_CACHE_HOME", file), ("TMPDIR", temporary));
        Assert.Contains("usage", text, StringComparison.OrdinalIgnoreCase);
        Assert.Empty(Directory.GetDirectories(temporary, "lookaheadkv-*"));
    }

    [Theory]
    [InlineData(183, "it is built for arm64, this process is linux-x64")]
    [InlineData(62, "no such symbol")]
    public void TheReasonOfAFailureIsNamed(ushort machine, string reason)
    {
        Assert.SkipUnless(NativeFolders.RuntimeIdentifier == "linux-x64", "the example is Linux's on x64");
        var path = Path.Combine(folder, "lib.so");
        File.WriteAllBytes(path, [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, .. new byte[12], (byte)machine, 0]);
        var error = NativeLibraries.CannotLoad(path, new DllNotFoundException("Unable to load it. Advice.\nno such symbol\n"));
        Assert.Equal($"The native library {path} cannot be loaded: {reason}", error.Message);
    }
}
