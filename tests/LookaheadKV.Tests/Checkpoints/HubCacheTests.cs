using LookaheadKV.Checkpoints;
using LookaheadKV.Checkpoints.Gguf;
using LookaheadKV.Tests.Checkpoints.Gguf;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Checkpoints;

/// <summary>Names of the hub are found where the hub's own tools keep their files, and nowhere else.</summary>
public sealed class HubCacheTests : IDisposable
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";
    private const string Other = "0123456fffffffffffffffffffffffffffffffff";
    private readonly TemporaryFolder _root = new();

    public void Dispose() => _root.Dispose();

    [Theory]
    [InlineData("/cache", "HF_HUB_CACHE=/cache", "HF_HOME=/home", "HOME=/h")]
    [InlineData("/old", "HUGGINGFACE_HUB_CACHE=/old", "HF_HOME=/home", "HOME=/h")]
    [InlineData("/home/hub", "HF_HOME=/home", "XDG_CACHE_HOME=/xdg", "HOME=/h")]
    [InlineData("/xdg/huggingface/hub", "XDG_CACHE_HOME=/xdg", "HOME=/h")]
    [InlineData("/h/.cache/huggingface/hub", "HOME=/h", "HF_HUB_CACHE=")]
    [InlineData("/h/models", "HOME=/h", "HF_HUB_CACHE=~/models")]
    public void The_cache_is_where_the_environment_says(string expected, params string[] variables) =>
        Assert.Equal(
            expected,
            HubCache.Root(variables.Select(text => text.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]).GetValueOrDefault)
        );

    [Theory]
    [InlineData("Org/Name", true)]
    [InlineData("Org-1/Na.me_2@main", true)]
    [InlineData("Org/Name@refs/pr/3", true)]
    [InlineData("Org/Name@../../etc", false)]
    [InlineData("nano", false)]
    [InlineData("./Org/Name", false)]
    [InlineData("../Name", false)]
    [InlineData("/Org/Name", false)]
    [InlineData("a/b/c", false)]
    [InlineData("Org/Name@", false)]
    public void Names_have_two_parts(string text, bool isName) => Assert.Equal(isName, HubCache.IsName(text));

    [Fact]
    public void A_revision_is_a_branch_a_tag_or_the_beginning_of_a_commit()
    {
        Snapshot(Commit, "config.json");
        Snapshot(Other, "config.json");
        Refer("main", Commit);
        Refer("refs/pr/3", Other);
        Assert.EndsWith(Commit, Find("Org/Name"));
        Assert.EndsWith(Commit, Find("Org/Name@main"));
        Assert.EndsWith(Other, Find("Org/Name@refs/pr/3"));
        Assert.EndsWith(Other, Find($"Org/Name@{Other}"));
        Assert.EndsWith(Other, Find("Org/Name@0123456f"));
        Fails("Org/Name@0123456", "no revision 0123456", "has main, refs/pr/3"); // two begin so
        Fails("Org/Name@v9", "no revision v9", "hf download Org/Name --revision v9");
    }

    [Fact]
    public void Seven_digits_of_a_commit_are_enough_where_one_begins_so()
    {
        Snapshot(Commit, "config.json");
        Assert.EndsWith(Commit, Find("Org/Name@0123456"));
        Fails("Org/Name@012345", "no revision 012345");
    }

    [Fact]
    public void What_is_not_there_is_said_with_the_place_and_the_way_to_fetch_it()
    {
        Fails("Org/Name", Path.Combine(_root.Path, "models--Org--Name"), "`hf download Org/Name`");
        Snapshot(Commit, "config.json");
        Fails("Org/Name", "no revision main", "has none", "hf download Org/Name");
    }

    [Fact]
    public void Models_are_read_through_the_links_of_a_snapshot()
    {
        Snapshot(Commit, "m.gguf");
        Refer("main", Commit);
        var link = Path.Combine(Find("Org/Name"), "m.gguf");
        new GgufBuilder().Set("general.architecture", "llama").Tensor("x", [300], new float[300]).Write(Path.GetFullPath(link));
        Assert.NotNull(File.ResolveLinkTarget(link, returnFinalTarget: true));
        Assert.NotNull(GgufFile.Open(link).Find("x"));
        Assert.InRange(ModelFiles.Open(link).WeightBytes, 1200, 2000);
    }

    private string Find(string name) => HubCache.Find(name, _root.Path);

    private void Fails(string name, params string[] parts)
    {
        var message = Assert.Throws<InputException>(() => Find(name)).Message;
        Assert.DoesNotContain('\n', message);
        Assert.All(parts.Append(name), part => Assert.Contains(part, message));
    }

    private string Repository => Path.Combine(_root.Path, "models--Org--Name");

    // As the hub's tools write it: the files are links to blobs.
    private void Snapshot(string commit, params string[] files)
    {
        var (snapshot, blobs) = (Path.Combine(Repository, "snapshots", commit), Path.Combine(Repository, "blobs"));
        Directory.CreateDirectory(snapshot);
        Directory.CreateDirectory(blobs);
        foreach (var file in files)
        {
            var blob = Path.Combine(blobs, Guid.NewGuid().ToString("N"));
            File.WriteAllText(blob, file);
            File.CreateSymbolicLink(Path.Combine(snapshot, file), Path.Combine("..", "..", "blobs", Path.GetFileName(blob)));
        }
    }

    private void Refer(string revision, string commit)
    {
        var path = Path.Combine(Repository, "refs", revision);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, commit + "\n");
    }
}
