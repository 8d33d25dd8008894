using LookaheadKV.Eviction;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Eviction;

public sealed class KeptSetTests
{
    private static readonly bool[][] Ragged =
    [
        [true, false, false, true, true], // row 0
        [false, false, false, false, false],
        [false, true, false, false, false], // row 1
        [true, true, true, true, true],
    ];

    private static Tensor Mask(bool[][] heads) => tensor(heads.SelectMany(head => head).ToArray()).view(heads.Length / 2, 2, -1);

    [Fact]
    public void A_ragged_mask_becomes_positions_and_a_mask_again()
    {
        using var scope = NewDisposeScope();
        using var kept = KeptSet.Of(Mask(Ragged));
        Assert.Equal(
            [
                [3L, 0L],
                [1L, 5L],
            ],
            kept.Counts
        );
        Assert.Equal([0, 3, 4, 1, 0, 1, 2, 3, 4], kept.Flat.data<long>().ToArray());
        Assert.Equal((9, false), (kept.Total, kept.IsRectangular));
        Assert.Equal(
            [
                [0L, 3L, 4L],
                [],
            ],
            kept.ToArrays()
        );
        Assert.Equal(
            [
                [1L],
                [0L, 1L, 2L, 3L, 4L],
            ],
            kept.ToArrays(row: 1)
        );
        Assert.True(kept.Mask(5).equal(Mask(Ragged)).all().item<bool>());
        Assert.Contains("read Counts", Assert.Throws<InvalidOperationException>(() => kept.Count).Message);
        Assert.Throws<InvalidOperationException>(() => kept.Positions);
    }

    [Fact]
    public void Equally_long_heads_are_a_rectangle_however_they_were_given()
    {
        using var scope = NewDisposeScope();
        using var masked = KeptSet.Of(
            Mask([
                [true, false, true],
                [false, true, true],
                [true, true, false],
                [true, false, true],
            ])
        );
        using var given = new KeptSet(tensor(new long[] { 0, 2, 1, 2, 0, 1, 0, 2 }).view(2, 2, 2));
        foreach (var kept in new[] { masked, given })
        {
            Assert.Equal((true, 2, 8), (kept.IsRectangular, kept.Count, kept.Total));
            Assert.Equal([2, 2, 2], kept.Positions.shape);
            Assert.Equal(
                [
                    [0L, 2L],
                    [1L, 2L],
                ],
                kept.ToArrays()
            );
            Assert.Equal(
                [
                    [0L, 1L],
                    [0L, 2L],
                ],
                kept.ToArrays(1)
            );
        }
        using var heads = KeptSet.Of(
            [
                [1, 3],
                [0, 2],
            ],
            CPU
        );
        Assert.Equal([1, 2, 2], heads.Positions.shape);
        using var uneven = KeptSet.Of(
            [
                [1],
                [0, 2],
            ],
            CPU
        );
        Assert.Equal(
            [
                [1L],
                [0L, 2L],
            ],
            uneven.ToArrays()
        );
        Assert.False(uneven.IsRectangular);
    }

    [Fact]
    public void Positions_and_counts_must_agree()
    {
        using var scope = NewDisposeScope();
        var error = Assert.Throws<ArgumentException>(() =>
            new KeptSet(
                arange(4),
                [
                    [1, 2],
                ]
            )
        );
        Assert.Contains("4 positions are not the 3", error.Message);
    }

    [Fact]
    public void A_set_outlives_the_scope_it_was_made_in_and_is_freed_by_hand()
    {
        KeptSet kept;
        using (NewDisposeScope())
        {
            var positions = arange(6).view(1, 2, 3);
            kept = new KeptSet(positions);
            Assert.True(positions.IsInvalid); // the set has taken it
        }
        Assert.Equal(
            [
                [0L, 1L, 2L],
                [3L, 4L, 5L],
            ],
            kept.ToArrays()
        );
        kept.Dispose();
        Assert.True(kept.Flat.IsInvalid);
    }
}
