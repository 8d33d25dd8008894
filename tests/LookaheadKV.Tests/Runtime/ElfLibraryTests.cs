using LookaheadKV.Runtime;
using Xunit;

namespace LookaheadKV.Tests.Runtime;

public class ElfLibraryTests
{
    /// <summary>TorchSharp's library as its package has it, not what this process loaded.</summary>
    private static byte[] Shim()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "ELF is Linux's format");
        var file = NativeFolders.FileName("LibTorchSharp");
        var folders = NativeFolders.Candidates("TorchSharp", NativeFolders.BuiltWith("TorchSharp"));
        return File.ReadAllBytes(folders.Select(folder => Path.Combine(folder, file)).First(File.Exists));
    }

    [Fact]
    public void NeedsOfTheRealLibrary()
    {
        var needs = ElfLibrary.VersionNeeds(Shim());
        Assert.Contains(needs, need => need is { Library: "libstdc++.so.6", Version: TorchSharpShim.UnusedVersion, Optional: false });
        Assert.Contains(needs, need => need.Library == "libc.so.6" && need.Version.StartsWith("GLIBC_", StringComparison.Ordinal));
        Assert.All(needs, need => Assert.Matches("^[A-Z_]+_[0-9.]+$", need.Version));
    }

    [Fact]
    public void OnlyTheWeakFlagOfTheOneNeedChanges()
    {
        var original = Shim();
        var untouched = original.ToArray();
        var patched = ElfLibrary.MakeOptional(original, TorchSharpShim.UnusedVersion);

        Assert.Equal(untouched, original);
        var need = Assert.Single(ElfLibrary.VersionNeeds(original), need => need.Version == TorchSharpShim.UnusedVersion);
        var changed = Assert.Single(Enumerable.Range(0, original.Length), i => original[i] != patched[i]);
        Assert.Equal(need.FlagsOffset, changed);
        Assert.Equal(original[changed] | 2, patched[changed]);
        Assert.Equal(
            ElfLibrary.VersionNeeds(original).Select(before => before == need ? before with { Optional = true } : before),
            ElfLibrary.VersionNeeds(patched)
        );
    }

    [Fact]
    public void PatchingTwiceIsPatchingOnce()
    {
        var once = ElfLibrary.MakeOptional(Shim(), TorchSharpShim.UnusedVersion);
        Assert.Equal(once, ElfLibrary.MakeOptional(once, TorchSharpShim.UnusedVersion));
    }

    [Fact]
    public void AVersionInUseIsRefused()
    {
        // std::string's own version: every C++ library of this age uses it.
        var error = Assert.Throws<InvalidDataException>(() => ElfLibrary.MakeOptional(Shim(), "GLIBCXX_3.4.21"));
        Assert.Contains("uses GLIBCXX_3.4.21 of libstdc++.so.6", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnUnknownVersionIsRefused() => Assert.Throws<InvalidDataException>(() => ElfLibrary.MakeOptional(Shim(), "GLIBCXX_9.9.99"));

    [Fact]
    public void DamageIsRefusedNotReadBeyond()
    {
        var original = Shim();
        var last = ElfLibrary.VersionNeeds(original).Max(need => need.FlagsOffset);
        foreach (var length in new[] { 0, 3, 20, 63, 64, 100, 1000, last / 2, last, last + 4 })
            Assert.Throws<InvalidDataException>(() => ElfLibrary.VersionNeeds(original[..length]));

        var random = new Random(1);
        for (var i = 0; i < 200; i++)
        {
            var damaged = original[..64].Concat(new byte[4096]).ToArray();
            random.NextBytes(damaged.AsSpan(16));
            Assert.Throws<InvalidDataException>(() => ElfLibrary.VersionNeeds(damaged));
        }
    }
}
