using LookaheadKV.Files;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Files;

/// <summary>A file is there whole or not at all, whoever else writes it and whoever is killed.</summary>
public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string[] Names => [.. Directory.EnumerateFiles(_folder.Path).Select(Path.GetFileName).Order()!];

    // As a writer that was killed before its rename leaves it.
    private void Leave(string name) => File.WriteAllText(_folder[$"{name}.{Guid.NewGuid():N}.tmp"], "{\"half");

    [Fact]
    public void A_sweep_takes_what_is_left_of_files_that_are_there_and_nothing_else()
    {
        File.WriteAllText(_folder["done.json"], "{}");
        File.WriteAllText(_folder["done.json.notes.tmp"], "the user's own");
        Leave("done.json");
        Leave("done.json");
        Leave("missing.json"); // may be the one copy of a writer at work
        AtomicFile.Sweep(_folder.Path);
        Assert.Equal(["done.json", "done.json.notes.tmp"], Names.Where(name => !name.StartsWith("missing")));
        Assert.Single(Names, name => name.StartsWith("missing"));
        Assert.Equal("{}", File.ReadAllText(_folder["done.json"]));
    }

    [Fact]
    public void A_writer_that_is_overtaken_and_swept_away_minds_nothing()
    {
        var path = _folder["cell.json"];
        AtomicFile.Write(
            path,
            stream =>
            {
                stream.WriteByte((byte)'a');
                AtomicFile.WriteText(path, "b");
                AtomicFile.Sweep(_folder.Path);
            }
        );
        Assert.Equal(["cell.json"], Names);
        Assert.Contains(File.ReadAllText(path), new[] { "a", "b" }); // "a" where open files cannot be deleted
    }

    [Fact]
    public void A_writer_whose_file_vanished_with_nothing_in_its_place_says_so()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "open files cannot be deleted");
        var path = _folder["cell.json"];
        var error = Assert.Throws<InputException>(() =>
            AtomicFile.Write(path, _ => File.Delete(Directory.EnumerateFiles(_folder.Path).Single()))
        );
        Assert.Contains(path, error.Message);
    }

    [Fact]
    public void Writers_and_sweepers_at_once_leave_one_whole_file()
    {
        var path = _folder["cell.json"];
        string[] texts = [.. Enumerable.Range(0, 8).Select(i => new string((char)('a' + i), 50_000))];
        Parallel.For(
            0,
            400,
            i =>
            {
                AtomicFile.WriteText(path, texts[i % texts.Length]);
                AtomicFile.Sweep(_folder.Path);
                Assert.Contains(File.ReadAllText(path), texts);
            }
        );
        Assert.Equal(["cell.json"], Names);
    }
}
