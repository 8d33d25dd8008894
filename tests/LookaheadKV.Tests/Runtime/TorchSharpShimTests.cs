using LookaheadKV.Runtime;
using Xunit;

namespace LookaheadKV.Tests.Runtime;

public sealed class TorchSharpShimTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lookaheadkv-tests-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static byte[] Content(int seed)
    {
        var bytes = new byte[100_000];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    [Fact]
    public void EachContentHasItsFile()
    {
        var cache = Path.Combine(folder, "not", "there", "yet");
        var (a, b) = (TorchSharpShim.Store(Content(1), cache), TorchSharpShim.Store(Content(2), cache));
        Assert.NotEqual(a, b);
        Assert.Equal(a, TorchSharpShim.Store(Content(1), cache));
        Assert.Equal(Content(1), File.ReadAllBytes(a));
        Assert.Equal(Content(2), File.ReadAllBytes(b));
        Assert.Equal(2, Directory.GetFiles(cache).Length);
    }

    [Fact]
    public void AFileThatIsThereIsKept()
    {
        var path = TorchSharpShim.Store(Content(1), folder);
        var old = new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(path, old);
        TorchSharpShim.Store(Content(1), folder);
        Assert.Equal(old, File.GetLastWriteTimeUtc(path));
    }

    [Fact]
    public void ADamagedFileIsReplaced()
    {
        var path = TorchSharpShim.Store(Content(1), folder);
        File.WriteAllBytes(path, Content(2));
        Assert.Equal(path, TorchSharpShim.Store(Content(1), folder));
        Assert.Equal(Content(1), File.ReadAllBytes(path));
    }

    [Fact]
    public async Task WritersAtOnceLeaveOneWholeFile()
    {
        var paths = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => TorchSharpShim.Store(Content(3), folder))));
        var path = Assert.Single(paths.Distinct());
        Assert.Equal(path, Assert.Single(Directory.GetFiles(folder)));
        Assert.Equal(Content(3), File.ReadAllBytes(path));
    }
}
